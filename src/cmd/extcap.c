/*
 * Wireshark's external capture interface (doc/extcap.4): iotrace in its list of interfaces. Wireshark
 * runs what lies in its extcap folder with questions as options, and then to capture into a pipe.
 */
#include "base/log.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/opt.h"

#include <stdio.h>
#include <string.h>

struct extcap_settings {
	bool interfaces, dlts, config, capture;
	const char *interface, *fifo, *filter, *wireshark;
	const char *program, *pid, *name; /* what is traced */
	bool local, plain;
};

#define AT(field) offsetof(struct extcap_settings, field)

static const struct opt_row extcap_options[] = {
	{ OPT_FLAG, 0, "extcap-interfaces", NULL, "list the interfaces", AT(interfaces) },
	{ OPT_FLAG, 0, "extcap-dlts", NULL, "list the link types of one", AT(dlts) },
	{ OPT_FLAG, 0, "extcap-config", NULL, "list the options of one", AT(config) },
	{ OPT_FLAG, 0, "capture", NULL, "capture", AT(capture) },
	{ OPT_TEXT, 0, "extcap-interface", "NAME", "the interface in question", AT(interface) },
	{ OPT_TEXT, 0, "extcap-version", "VERSION", "Wireshark's version", AT(wireshark) },
	{ OPT_TEXT, 0, "extcap-capture-filter", "FILTER", "not used", AT(filter) },
	{ OPT_TEXT, 0, "fifo", "FILE", "where packets are to be written", AT(fifo) },
	{ OPT_TEXT, 0, "program", "COMMAND", "run this, by sh -c", AT(program) },
	{ OPT_TEXT, 0, "pid", "PID", "attach to this", AT(pid) },
	{ OPT_TEXT, 0, "name", "NAME", "attach to all of that name", AT(name) },
	{ OPT_FLAG, 0, "local", NULL, "local sockets, too", AT(local) },
	{ OPT_FLAG, 0, "plain", NULL, "plaintext instead of TLS", AT(plain) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = { { "extcap", extcap_options, 0 }, { 0 } };

struct extcap_interface {
	const char *name, *display;
	const char *config; /* its own options, in the language of extcap(4) */
};

static const struct extcap_interface interfaces[] = {
	{ "iotrace-run", "iotrace: trace a program",
	  "arg {number=0}{call=--program}{display=Command}{type=string}{required=true}"
	  "{tooltip=Run by sh -c; it and all its children are traced}\n" },
	{ "iotrace-attach", "iotrace: attach to running processes",
	  "arg {number=0}{call=--pid}{display=Process id}{type=string}"
	  "{tooltip=One or several, separated by commas}\n"
	  "arg {number=1}{call=--name}{display=Program name}{type=string}"
	  "{tooltip=All processes of that name, also those that start later}\n" },
};

#define INTERFACES (sizeof(interfaces) / sizeof(interfaces[0]))

static const struct extcap_interface *find(const char *name)
{
	for (size_t i = 0; name && i < INTERFACES; i++)
		if (!strcmp(interfaces[i].name, name))
			return &interfaces[i];
	log_error("there is no interface '%s'", name ? name : "");
	return NULL;
}

static int list_interfaces(void)
{
	printf("extcap {version=%s}{help=https://www.wireshark.org/docs/man-pages/extcap.html}\n",
	       IOTRACE_VERSION);
	for (size_t i = 0; i < INTERFACES; i++)
		printf("interface {value=%s}{display=%s}\n", interfaces[i].name,
		       interfaces[i].display);
	return 0;
}

static int list_link_types(void)
{
	printf("dlt {number=258}{name=PKTAP}{display=IP packets with their process}\n");
	return 0;
}

static int list_options(const struct extcap_interface *interface)
{
	printf("%s"
	       "arg {number=8}{call=--local}{display=Local (AF_UNIX) sockets}{type=boolflag}\n"
	       "arg {number=9}{call=--plain}{display=Plaintext instead of TLS}{type=boolflag}\n",
	       interface->config);
	return 0;
}

/*
 * Wireshark ends us by SIGTERM, which is passed on to the program: that should be what was asked for,
 * not a shell that waits for it.
 */
static char *shell_command(const char *program)
{
	const char *space = strchr(program, ' '), *equals = strchr(program, '=');
	bool assigns = equals && (!space || equals < space);

	return own_printf("%s%s", strpbrk(program, ";&|<>(){}`\n") || assigns ? "" : "exec ",
			  program);
}

/* The command line that the user would have typed. */
static int capture(const struct extcap_settings *settings)
{
	const char *argv[24] = { "iotrace", "-f", "pcapng", "-o", settings->fifo };
	char *command auto_free = NULL;
	int argc = 5;

	if (settings->local)
		argv[argc++] = "--unix";
	if (settings->plain)
		argv[argc++] = "--pcap-plain";
	if (settings->pid && *settings->pid) {
		argv[argc++] = "-p";
		argv[argc++] = settings->pid;
	}
	if (settings->name && *settings->name) {
		argv[argc++] = "--name";
		argv[argc++] = settings->name;
	}
	if (settings->program && *settings->program) {
		argv[argc++] = "--";
		argv[argc++] = "/bin/sh";
		argv[argc++] = "-c";
		argv[argc++] = command = shell_command(settings->program);
	}
	return trace_main(argc, (char **)argv);
}

static int answer(const struct extcap_settings *settings)
{
	const struct extcap_interface *interface;

	if (settings->interfaces)
		return list_interfaces();
	interface = find(settings->interface);
	if (!interface)
		return EXIT_IOTRACE_FAILED;
	if (settings->dlts)
		return list_link_types();
	if (settings->config)
		return list_options(interface);
	if (settings->capture && settings->fifo)
		return capture(settings);
	log_error("extcap: --capture needs --fifo");
	return EXIT_IOTRACE_FAILED;
}

bool extcap_is_meant(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strncmp(argv[i], "--extcap-", 9))
			return true;
	return false;
}

int extcap_main(int argc, char **argv)
{
	struct extcap_settings settings = { 0 };

	if (opt_parse(groups, argc, argv, &settings) < 0)
		return EXIT_IOTRACE_FAILED;
	return answer(&settings);
}
