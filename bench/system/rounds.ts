/** Rounds: in each all start anew, one after the other. */
import { messageSize } from "../table.ts";
import { Participant } from "./contender.ts";
import { isAble, type Plan } from "./plans.ts";
import { type Cell, contenderName, type Trial } from "./results.ts";
import { machineSpeed, type Speed } from "./speed.ts";

/** Gets a line of what is done, and of what cannot be. */
export type Say = (line: string) => void;

/** One whose trials are to come. */
interface OpenCell extends Cell {
  readonly trials: Trial[];
}

/** Try all loads of a contender. */
async function measureAll(
  participant: Participant,
  cells: readonly OpenCell[],
  round: number,
  say: Say,
): Promise<void> {
  let before: Speed = machineSpeed();
  for (const { load, trials } of cells) {
    try {
      const run = await participant.measure(load);
      const after = machineSpeed();
      trials.push({ round, run, before, after });
      before = after;
    } catch (error) {
      say(`not ${messageSize(load.size)}, window ${load.window}: ${error}`);
    }
  }
}

/** Measure all of a plan; by load and contender, in that order. */
export async function measurePlan(
  { contenders, loads, seconds, rounds, quiet }: Plan,
  say: Say,
): Promise<Cell[]> {
  const cells = loads.flatMap(({ size, window }): OpenCell[] => {
    const load = { size, window, seconds };
    return contenders
      .filter((contender) => isAble(contender, size))
      .map((contender) => ({ contender, load, trials: [] }));
  });
  const groups = Map.groupBy(cells, ({ contender }) => contender);
  for (let round = 1; round <= rounds; round++) {
    for (const [contender, own] of groups) {
      const name = contenderName(contender);
      const sayRound: Say = (line) =>
        say(`Round ${round} of ${rounds}: ${name}${line}`);
      try {
        await using participant = await Participant.start(
          contender,
          quiet,
        );
        sayRound("");
        await measureAll(
          participant,
          own,
          round,
          (why) => sayRound(`, ${why}`),
        );
      } catch (error) {
        sayRound(` cannot: ${error}`);
      }
    }
  }
  return cells;
}
