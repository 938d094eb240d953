/** Rounds: in each all start anew, and take turns. */
import { messageSize } from "../table.ts";
import { type Contender, Participant } from "./contender.ts";
import { isAble, type Plan } from "./plans.ts";
import { type Cell, contenderName, type Trial } from "./results.ts";
import { machineSpeed, type Speed } from "./speed.ts";
import { Wires } from "./wires.ts";

/** Gets a line of what is done, and of what cannot be. */
export type Say = (line: string) => void;

/** One whose trials are to come. */
interface OpenCell extends Cell {
  readonly trials: Trial[];
}

/** Start all that can be. */
async function startAll(
  contenders: readonly Contender[],
  wires: Wires,
  say: Say,
): Promise<Map<Contender, Participant>> {
  const participants = new Map<Contender, Participant>();
  for (const contender of contenders) {
    try {
      const participant = await Participant.start(contender, wires);
      participants.set(contender, participant);
    } catch (error) {
      say(`without ${contenderName(contender)}: ${error}`);
    }
  }
  return participants;
}

/** Let all that run take turns. */
async function measureAll(
  participants: ReadonlyMap<Contender, Participant>,
  cells: readonly OpenCell[],
  round: number,
  say: Say,
): Promise<void> {
  let before: Speed = machineSpeed();
  for (const [index, { contender, load, trials }] of cells.entries()) {
    const where = `${messageSize(load.size)}, window ${load.window}`;
    if (load !== cells[index - 1]?.load) say(where);
    const participant = participants.get(contender);
    if (participant === undefined) continue;
    try {
      const run = await participant.measure(load);
      const after = machineSpeed();
      trials.push({ round, run, before, after });
      before = after;
    } catch (error) {
      say(`${where}: without ${contenderName(contender)}: ${error}`);
    }
  }
}

/** Measure all of a plan; by load and contender, in that order. */
export async function measurePlan(
  { contenders, loads, seconds, rounds }: Plan,
  say: Say,
): Promise<Cell[]> {
  const cells = loads.flatMap(({ size, window }): OpenCell[] => {
    const load = { size, window, seconds };
    return contenders
      .filter((contender) => isAble(contender, size))
      .map((contender) => ({ contender, load, trials: [] }));
  });
  for (let round = 1; round <= rounds; round++) {
    const sayRound: Say = (line) => say(`Round ${round} of ${rounds}: ${line}`);
    sayRound("start");
    await using wires = new Wires();
    const participants = await startAll(contenders, wires, sayRound);
    try {
      await measureAll(participants, cells, round, sayRound);
    } finally {
      await Promise.all(participants.values().map((each) => each.stop()));
    }
  }
  return cells;
}
