#include "cmd/user.h"

#include "base/log.h"
#include "base/own.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUPS_MAX 65536

static const struct passwd *lookup(const char *name)
{
	const struct passwd *entry = getpwnam(name);
	char *end;
	unsigned long uid;

	if (entry)
		return entry;
	uid = strtoul(name, &end, 10);
	return *name && !*end ? getpwuid((uid_t)uid) : NULL;
}

int user_find(const char *name, struct spawn_user *ret_user)
{
	const struct passwd *entry = lookup(name);
	int count = GROUPS_MAX;

	if (!entry) {
		log_error("there is no user '%s'", name);
		return -1;
	}
	if (geteuid() != 0) {
		log_error("only root can run a program as another user");
		return -1;
	}
	ret_user->uid = entry->pw_uid;
	ret_user->gid = entry->pw_gid;
	ret_user->groups = own_alloc(GROUPS_MAX * sizeof(gid_t));
	getgrouplist(entry->pw_name, entry->pw_gid, ret_user->groups, &count);
	ret_user->group_count = count > 0 ? (size_t)count : 0;
	return 0;
}

void user_done(struct spawn_user *user)
{
	free(user->groups);
	*user = (struct spawn_user){ 0 };
}
