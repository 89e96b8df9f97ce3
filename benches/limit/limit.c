/* The physical limit of a start: one process that makes the system calls of a container and nothing else.
 * It reads no configuration and checks little; it is what runtimes are measured against, not one.
 *
 * usage: limit ROOTFS FILTER PROGRAM [ARGUMENT...]
 * FILTER holds struct sock_filter after struct sock_filter. The bundle beside it in the benchmark asks for the
 * same namespaces, mounts, masked paths, capabilities (none) and system calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTO_CGROUP 0x200000000ULL
#define CGROUP "/sys/fs/cgroup/limit"

static void must(int done, const char *what)
{
	if (done < 0) {
		fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
		_exit(125);
	}
}

static void mount_it(const char *source, const char *at, const char *kind, unsigned long flags, const char *data)
{
	must(mount(source, at, kind, flags, data), at);
}

static const char *const masked[] = {
	"proc/acpi", "proc/asound", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list",
	"proc/timer_stats", "proc/sched_debug", "proc/scsi", "sys/firmware",
};
static const char *const readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };

static void devices(void)
{
	static const struct { const char *path; int major, minor; } nodes[] = {
		{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 },
		{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "dev/fd" }, { "/proc/self/fd/0", "dev/stdin" }, { "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" }, { "pts/ptmx", "dev/ptmx" },
	};
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
		must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
	must(mkdir("dev/pts", 0755), "dev/pts");
	must(mkdir("dev/shm", 0755), "dev/shm");
	must(mkdir("dev/mqueue", 0755), "dev/mqueue");
}

static void hide(void)
{
	struct stat found;
	for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
		if (stat(masked[i], &found) < 0)
			continue;
		if (S_ISDIR(found.st_mode))
			mount_it("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL);
		else
			mount_it("/dev/null", masked[i], NULL, MS_BIND, NULL);
	}
	for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
		if (stat(readonly[i], &found) < 0)
			continue;
		mount_it(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL);
		mount_it(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	}
}

static void inside(const char *rootfs, struct sock_fprog *filter, char **argv)
{
	const unsigned long bare = MS_NOSUID | MS_NOEXEC | MS_NODEV;
	must(setsid(), "setsid");
	mount_it(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount_it(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
	must(chdir(rootfs), rootfs);
	mount_it("proc", "proc", "proc", 0, NULL);
	mount_it("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	devices();
	mount_it("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_it("shm", "dev/shm", "tmpfs", bare, "mode=1777,size=65536k");
	mount_it("mqueue", "dev/mqueue", "mqueue", bare, NULL);
	mount_it("sysfs", "sys", "sysfs", bare | MS_RDONLY, NULL);
	mount_it("cgroup", "sys/fs/cgroup", "cgroup2", bare | MS_RELATIME | MS_RDONLY, NULL);
	hide();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "/");
	must(sethostname("limit", 5), "hostname");
	int link = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	must(ioctl(link, SIOCSIFFLAGS, &up), "lo");
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	must(syscall(SYS_capset, &header, none), "capset");
	must(syscall(SYS_close_range, 3U, ~0U, 4U), "close_range");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter), "seccomp");
	execv(argv[0], argv);
	must(-1, argv[0]);
}

int main(int argc, char **argv)
{
	static struct sock_filter program[4096];
	if (argc < 4)
		return 125;
	int file = open(argv[2], O_RDONLY | O_CLOEXEC);
	ssize_t size = read(file, program, sizeof program);
	must(size > 0 ? 0 : -1, argv[2]);
	struct sock_fprog filter = { .len = size / sizeof *program, .filter = program };

	must(mkdir(CGROUP, 0755), CGROUP);
	int cgroup = open(CGROUP, O_DIRECTORY | O_CLOEXEC), pidfd = -1;
	must(cgroup, CGROUP);
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
			 CLONE_PIDFD | INTO_CGROUP,
		.pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD, .cgroup = cgroup,
	};
	long pid = syscall(SYS_clone3, &args, sizeof args);
	must(pid, "clone3");
	if (pid == 0)
		inside(argv[1], &filter, argv + 3);
	siginfo_t ended;
	must(waitid(P_PIDFD, pidfd, &ended, WEXITED), "waitid");
	must(rmdir(CGROUP), "rmdir");
	return ended.si_code == CLD_EXITED ? ended.si_status : 128 + ended.si_status;
}
