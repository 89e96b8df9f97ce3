/* What was tried to make starts cheaper, each beside what it would take the place of: nanoseconds, on the average.
 *
 * usage: tried TIMES
 * Wants the power to make namespaces and mounts, and a directory /run to mount in. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OTHERS (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
/* As much as the supervisor has written to. */
#define MEMORY (1 << 20)

static int times;

static long now(void)
{
	struct timespec it;
	clock_gettime(CLOCK_MONOTONIC, &it);
	return it.tv_sec * 1000000000 + it.tv_nsec;
}

static long must(long done, const char *what)
{
	if (done < 0) {
		perror(what);
		exit(125);
	}
	return done;
}

static void say(const char *what, long begin)
{
	printf("tried %s %ld\n", what, (now() - begin) / times);
}

static void clones(const char *what, uint64_t flags)
{
	long begin = now();
	for (int i = 0; i < times; i++) {
		struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
		long pid = must(syscall(SYS_clone3, &args, sizeof args), what);
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	say(what, begin);
}

static void vforks(const char *what)
{
	long begin = now();
	for (int i = 0; i < times; i++) {
		volatile pid_t pid = must(vfork(), what);
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	say(what, begin);
}

static void joins(const char *what)
{
	int ours = must(open("/proc/self/ns/net", O_RDONLY), "net");
	must(unshare(CLONE_NEWNET), "unshare");
	int other = must(open("/proc/self/ns/net", O_RDONLY), "net");
	long begin = now();
	for (int i = 0; i < times; i++) {
		must(setns(ours, CLONE_NEWNET), "setns");
		must(setns(other, CLONE_NEWNET), "setns");
	}
	printf("tried %s %ld\n", what, (now() - begin) / times / 2);
	must(setns(ours, CLONE_NEWNET), "setns");
	close(ours);
	close(other);
}

static int fresh(void)
{
	int fs = must(syscall(SYS_fsopen, "tmpfs", 1), "fsopen");
	must(syscall(SYS_fsconfig, fs, 1, "mode", "0555", 0), "mode");
	must(syscall(SYS_fsconfig, fs, 0, "ro", NULL, 0), "ro");
	must(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0), "create");
	int mount = must(syscall(SYS_fsmount, fs, 1, MOUNT_ATTR_RDONLY), "fsmount");
	close(fs);
	return mount;
}

static void masks(const char *what, int shared)
{
	long begin = now();
	for (int i = 0; i < times; i++) {
		int tree = shared < 0 ? fresh() : must(syscall(SYS_open_tree, shared, "", 1 | AT_EMPTY_PATH), what);
		must(syscall(SYS_move_mount, tree, "", AT_FDCWD, "/run/masked", 4), what);
		close(tree);
	}
	say(what, begin);
	while (umount2("/run/masked", MNT_DETACH) == 0)
		;
}

int main(int argc, char **argv)
{
	times = argc > 1 ? atoi(argv[1]) : 0;
	if (times < 1)
		return 125;
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mkdir("/run/masked", 0755), "/run/masked");
	memset(malloc(MEMORY), 1, MEMORY);
	clones("network-namespace-made", OTHERS | CLONE_NEWNET);
	clones("network-namespace-not-made", OTHERS);
	joins("network-namespace-joined");
	clones("fork", 0);
	vforks("vfork");
	masks("mask-of-its-own", -1);
	int shared = fresh();
	must(syscall(SYS_move_mount, shared, "", AT_FDCWD, "/run/masked", 4), "mask");
	masks("mask-shared", shared);
	rmdir("/run/masked");
	printf("tried over\n");
	return 0;
}
