/* SPDX-License-Identifier: MIT */
#include "fabric/commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/clock.h"
#include "fabric/stats.h"

#define WORDS_MAX 4u

struct command {
	struct fabric_switch *fabric;
	uint64_t now_ns;
	char *words[WORDS_MAX];
	uint32_t length;
	/* The arguments, as far as the form has them. */
	uint32_t host;
	uint64_t ms;
	enum classifier_hash hash;
	bool on;
};

static const char *const hash_names[] = {
	[CLASSIFIER_TOEPLITZ] = "toeplitz",
	[CLASSIFIER_TOEPLITZ_NO_UDP_PORTS] = "no-udp-ports",
	[CLASSIFIER_SIPHASH] = "siphash",
};

bool
hash_parse(enum classifier_hash *hash, const char *name)
{
	for (uint32_t i = 0; i < ARRAY_LENGTH(hash_names); i++)
		if (strcmp(name, hash_names[i]) == 0) {
			*hash = (enum classifier_hash)i;
			return true;
		}
	return false;
}

static bool
integer_parse(uint64_t *value, const char *text, uint64_t max)
{
	char *end;

	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && *value <= max;
}

/* One argument, of the kind that the letter says. */
static bool
argument_parse(struct command *command, char kind, const char *text)
{
	uint64_t host;

	switch (kind) {
	case 'h':
		if (!integer_parse(&host, text,
			    switch_options(command->fabric)->ports - 1))
			return false;
		command->host = (uint32_t)host;
		return true;
	case 'm':
		return integer_parse(&command->ms, text, COMMAND_MS_MAX);
	case 'n':
		return hash_parse(&command->hash, text);
	default:
		command->on = strcmp(text, "on") == 0;
		return command->on || strcmp(text, "off") == 0;
	}
}

static struct classifier *
classifier_of(const struct command *command)
{
	return switch_classifier(command->fabric, command->host);
}

static void
run_rekey(const struct command *command)
{
	classifier_rekey(classifier_of(command));
}

static void
run_rekey_all(const struct command *command)
{
	for (uint32_t i = 0; i < switch_options(command->fabric)->ports; i++)
		classifier_rekey(switch_classifier(command->fabric, i));
}

static uint64_t
until_ns(const struct command *command)
{
	return command->now_ns + command->ms * NS_PER_MS;
}

static void
run_cut(const struct command *command)
{
	switch_cut_until(command->fabric, command->host, until_ns(command));
}

static void
run_synthetic(const struct command *command)
{
	classifier_synthetic_until(classifier_of(command), until_ns(command));
}

static void
run_hash(const struct command *command)
{
	classifier_set_hash(classifier_of(command), command->hash);
}

static void
run_firewall(const struct command *command)
{
	classifier_set_firewall(classifier_of(command), command->on);
}

static const struct form {
	const char *name;
	const char *arguments; /* a letter each, see argument_parse */
	void (*run)(const struct command *command);
} forms[] = {
	{"rekey", "", run_rekey_all},
	{"rekey", "h", run_rekey},
	{"cut", "hm", run_cut},
	{"synthetic", "hm", run_synthetic},
	{"hash", "hn", run_hash},
	{"firewall", "hf", run_firewall},
};

static void
words_split(struct command *command, char *line)
{
	char *rest;
	char *word = strtok_r(line, " \r", &rest);

	/* One more than any form has, so that too many are noticed. */
	while (word != NULL && command->length < WORDS_MAX) {
		command->words[command->length++] = word;
		word = strtok_r(NULL, " \r", &rest);
	}
}

static const struct form *
form_find(const struct command *command)
{
	for (uint32_t i = 0; i < ARRAY_LENGTH(forms); i++)
		if (strcmp(forms[i].name, command->words[0]) == 0 &&
			strlen(forms[i].arguments) == command->length - 1)
			return &forms[i];
	return NULL;
}

void
command_run(
	struct fabric_switch *fabric, char *line, uint64_t now_ns, FILE *output)
{
	struct command command = {.fabric = fabric, .now_ns = now_ns};
	const struct form *form;

	words_split(&command, line);
	if (command.length == 1 && strcmp(command.words[0], "stats") == 0) {
		stats_write(fabric, output);
		return;
	}
	form = command.length == 0 ? NULL : form_find(&command);
	if (form == NULL) {
		fputs("error: A command is one of " COMMANDS_HELP "\n", output);
		return;
	}
	for (uint32_t i = 1; i < command.length; i++)
		if (!argument_parse(&command, form->arguments[i - 1],
			    command.words[i])) {
			fprintf(output,
				"error: Cannot %s: \"%.32s\" is not what it "
				"takes: " COMMANDS_HELP "\n",
				form->name, command.words[i]);
			return;
		}
	form->run(&command);
	fputs("ok\n", output);
}
