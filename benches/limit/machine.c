/* The physical limit of a start on a machine: what a container of the machine's has (its own user namespace with
 * a range of ids, an overlay over an idmapped layer, limits, masked paths, filter), by the same system calls and
 * nothing else. As on the machine one process prepares each and another becomes it; nothing is read, planned or
 * told, and little checked.
 *
 * usage: machine LAYERS FILTER ALIVE PROGRAM [ARGUMENT...]
 * The only folder in LAYERS is a mounted layer, ALIVE how many are started one
 * after the other while those before them live. What they print comes out when all have been started. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTO_CGROUP 0x200000000ULL
#define NEWTIME 0x80
#define NO_ID 0xffffffffU
#define BARE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
/* The capabilities of a container that asks for none: docs/security.md. */
#define KEPT 1531ULL

static char layer[512];
static char files[64];
static struct sock_fprog filter;
static int device_filter = -1;

static long must(long done, const char *what)
{
	if (done < 0) {
		fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
		_exit(125);
	}
	return done;
}

static void put(int at, const char *path, const char *text)
{
	int file = must(openat(at, path, O_WRONLY | O_CLOEXEC), path);
	must(write(file, text, strlen(text)), path);
	close(file);
}

static int fresh(const char *kind, const char *const *options, unsigned attributes)
{
	int fs = must(syscall(SYS_fsopen, kind, 1), kind);
	for (; *options; options += 2)
		must(syscall(SYS_fsconfig, fs, options[1] ? 1 : 0, options[0], options[1], 0), options[0]);
	must(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0), kind);
	int mount = must(syscall(SYS_fsmount, fs, 1, attributes), kind);
	close(fs);
	return mount;
}

static void change(int tree, int flags, uint64_t set, int user)
{
	struct mount_attr wanted = { .attr_set = set, .userns_fd = user };
	must(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | flags, &wanted, sizeof wanted), "mount_setattr");
}

static void attach(int tree, int at, const char *path)
{
	must(syscall(SYS_move_mount, tree, "", at, path, 4 | (*path ? 0 : 0x40)), path);
}

static int clone_of(int at, const char *path, int flags)
{
	return must(syscall(SYS_open_tree, at, path, 1 | O_CLOEXEC | flags | (*path ? 0 : AT_EMPTY_PATH)), path);
}

static void bind_on(int root, const char *source, const char *at, unsigned attributes)
{
	int tree = clone_of(AT_FDCWD, source, 0);
	change(tree, 0, attributes, 0);
	attach(tree, root, at);
	close(tree);
}

static void mount_on(int root, const char *kind, const char *const *options, const char *at, unsigned attributes)
{
	int mount = fresh(kind, options, attributes);
	attach(mount, root, at);
	close(mount);
}

static const char *const nothing[] = { NULL };

/* An overlay over the layer, its ids those of the container. */
static int root_of(int user, unsigned first)
{
	static const char *const memory[] = { "size", "67108864", "mode", "0755", NULL };
	static const char *const overlay[] = { "lowerdir+", "/run/orlop/scratch/lower", "upperdir", "/run/orlop/scratch/upper",
		"workdir", "/run/orlop/scratch/work", "redirect_dir", "on", NULL };
	attach(fresh("tmpfs", memory, MOUNT_ATTR_NODEV), AT_FDCWD, "/run/orlop/scratch");
	int scratch = must(open("/run/orlop/scratch", O_PATH | O_DIRECTORY | O_CLOEXEC), "scratch");
	must(mkdirat(scratch, "upper", 0755), "upper");
	must(mkdirat(scratch, "work", 0755), "work");
	must(mkdirat(scratch, "lower", 0755), "lower");
	must(mkdirat(scratch, "root", 0755), "root");
	must(fchownat(scratch, "upper", first, first, 0), "upper");
	int lower = clone_of(AT_FDCWD, layer, 0);
	change(lower, 0, MOUNT_ATTR_IDMAP, user);
	attach(lower, scratch, "lower");
	attach(fresh("overlay", overlay, MOUNT_ATTR_NODEV), scratch, "root");
	return must(openat(scratch, "root", O_PATH | O_DIRECTORY | O_CLOEXEC), "root");
}

static void folder(int root, const char *path, unsigned id)
{
	if (mkdirat(root, path, 0755) == 0)
		must(fchownat(root, path, id, id, 0), path);
}

static void file(int root, const char *path, unsigned id)
{
	if (mknodat(root, path, S_IFREG | 0644, 0) == 0)
		must(fchownat(root, path, id, id, 0), path);
}

static void tree(int root, unsigned first)
{
	char id[16], source[256];
	snprintf(id, sizeof id, "%u", first);
	const char *const memory[] = { "mode", "1777", "size", "67108864", "uid", id, "gid", id, NULL };
	static const char *const names[] = { "etc/hosts", "etc/hostname", "etc/resolv.conf" };
	folder(root, "proc", first);
	folder(root, "dev", first);
	bind_on(root, "/run/orlop/dev", "dev", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	folder(root, "sys", first);
	mount_on(root, "tmpfs", memory, "dev/shm", BARE);
	for (size_t i = 0; i < 3; i++) {
		snprintf(source, sizeof source, "%s%s", files, names[i] + 3);
		file(root, names[i], first);
		bind_on(root, source, names[i], BARE | MOUNT_ATTR_RDONLY);
	}
}

static void hide(int root)
{
	static const char *const readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };
	static const char *const masked[] = { "proc/acpi", "proc/asound", "proc/interrupts", "proc/kcore", "proc/keys",
		"proc/latency_stats", "proc/sched_debug", "proc/scsi", "proc/timer_list", "proc/timer_stats",
		"sys/devices/virtual/powercap", "sys/firmware", "sys/fs/selinux",
		"sys/devices/system/cpu/cpu0/thermal_throttle" };
	static const char *const nobody[] = { "mode", "0555", "ro", NULL, NULL };
	int empty = -1;
	for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
		int tree = syscall(SYS_open_tree, root, readonly[i], 1 | O_CLOEXEC | AT_RECURSIVE);
		if (tree < 0)
			continue;
		change(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0);
		attach(tree, root, readonly[i]);
		close(tree);
	}
	for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
		struct stat found;
		if (fstatat(root, masked[i], &found, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(found.st_mode) && empty < 0) {
			empty = fresh("tmpfs", nobody, MOUNT_ATTR_RDONLY);
			attach(empty, root, masked[i]);
			continue;
		}
		int cover = S_ISDIR(found.st_mode) ? clone_of(empty, "", 0) : clone_of(AT_FDCWD, "/dev/null", 0);
		attach(cover, root, masked[i]);
		close(cover);
	}
}

static void loopback(void)
{
	int up = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	must(ioctl(up, SIOCSIFFLAGS, &lo), "lo");
	close(up);
}

static void inside(int way, char **argv)
{
	static const char *const terminals[] = { "newinstance", NULL, "ptmxmode", "0666", "mode", "0620", "gid", "5", NULL };
	char ready;
	must(setsid(), "setsid");
	/* The root comes as a number: descriptors are setup's. */
	struct iovec part = { &ready, 1 };
	char space[CMSG_SPACE(sizeof(int))];
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	if (recvmsg(way, &message, 0) != 1)
		_exit(125);
	int root = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message));
	must(fchdir(root), "root");
	must(unshare(CLONE_NEWNS), "unshare");
	attach(clone_of(AT_FDCWD, ".", AT_RECURSIVE), AT_FDCWD, ".");
	char here[256];
	must(syscall(SYS_getcwd, here, sizeof here), "getcwd");
	root = must(open(here, O_PATH | O_DIRECTORY | O_CLOEXEC), here);
	must(setgroups(0, NULL), "setgroups");
	must(setresgid(0, 0, 0), "gid");
	must(setresuid(0, 0, 0), "uid");
	put(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	put(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", "0 65535");
	put(AT_FDCWD, "/proc/sys/user/max_user_namespaces", "0");
	mount_on(root, "proc", nothing, "proc", BARE);
	mount_on(root, "sysfs", nothing, "sys", BARE | MOUNT_ATTR_RDONLY);
	mount_on(root, "cgroup2", nothing, "sys/fs/cgroup", BARE | MOUNT_ATTR_RDONLY);
	mount_on(root, "devpts", terminals, "dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	mount_on(root, "mqueue", nothing, "dev/mqueue", BARE);
	hide(root);
	must(fchdir(root), "root");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "/");
	must(sethostname("limit", 5), "hostname");
	loopback();
	syscall(SYS_keyctl, 1, NULL);
	for (size_t i = 0; i < 2; i++) {
		static const char *const users[] = { "/etc/passwd", "/etc/group" };
		char text[4096];
		int file = open(users[i], O_RDONLY | O_CLOEXEC);
		if (file >= 0 && read(file, text, sizeof text) >= 0)
			close(file);
	}
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	for (int number = 0; number < 64; number++)
		if (!(KEPT >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			break;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct kept[2] = { { KEPT, KEPT, 0 } };
	must(syscall(SYS_capset, &header, kept), "capset");
	must(access(argv[0], X_OK), argv[0]);
	/* Ready, and let go. */
	must(send(way, "r", 1, 0), "ready");
	if (read(way, &ready, 1) != 1)
		_exit(125);
	umask(022);
	must(syscall(SYS_close_range, 3U, ~0U, 4U), "close_range");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
	execv(argv[0], argv);
	must(-1, argv[0]);
}

static void setup(unsigned first, int made, int theirs, char **argv)
{
	int pidfd = -1;
	char path[64], map[64];
	must(setsid(), "setsid");
	put(AT_FDCWD, "/proc/self/oom_score_adj", "0");
	must(unshare(CLONE_NEWNS), "unshare");
	struct mount_attr slave = { .propagation = 1 << 19 };
	must(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave), "propagation");
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | NEWTIME |
			 CLONE_PIDFD | CLONE_PARENT,
		.pidfd = (uintptr_t)&pidfd,
	};
	long pid = must(syscall(SYS_clone3, &args, sizeof args), "clone3");
	if (pid == 0) {
		close(made);
		inside(theirs, argv);
	}
	snprintf(map, sizeof map, "0 %u 65536\n", first);
	snprintf(path, sizeof path, "/proc/%ld/uid_map", pid);
	put(AT_FDCWD, path, map);
	snprintf(path, sizeof path, "/proc/%ld/gid_map", pid);
	put(AT_FDCWD, path, map);
	int user = must(ioctl(pidfd, _IO(0xff, 9), 0), "user namespace");
	for (int number = 0; number < 3; number++)
		fchown(number, first, first);
	int root = root_of(user, first);
	tree(root, first);
	struct rlimit core = { 0, 0 }, open_files = { 1024, 524288 };
	must(prlimit(pid, RLIMIT_CORE, &core, NULL), "core");
	must(prlimit(pid, RLIMIT_NOFILE, &open_files, NULL), "nofile");
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(rights) = root;
	must(sendmsg(made, &message, 0), "root");
	_exit(0);
}

/* One that may use the few devices that all may, as a program that was loaded before. */
static int load(void)
{
	struct bpf_insn allow[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insn_cnt = 2, .insns = (uintptr_t)allow,
		.license = (uintptr_t)"MIT" };
	return must(syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes), "bpf");
}

/* The files that are the container's own in /etc, and the record of it: beside their places, and then renamed. */
static void write_files(int number)
{
	static const char *const names[] = { "hosts", "hostname", "resolv.conf", "record.json" };
	static const char *const texts[] = {
		"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tlimit\n", "limit\n", "", "{}",
	};
	char path[128], beside[160];
	snprintf(files, sizeof files, "/run/orlop/limit%d", number);
	must(mkdir(files, 0755), files);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/%s", files, names[i]);
		snprintf(beside, sizeof beside, "%s.new", path);
		int file = must(open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), beside);
		must(write(file, texts[i], strlen(texts[i])), beside);
		close(file);
		must(rename(beside, path), path);
	}
}

static int cgroup(int all, int number)
{
	char name[32];
	snprintf(name, sizeof name, "limit%d", number);
	must(mkdirat(all, name, 0755), name);
	int outer = must(openat(all, name, O_DIRECTORY | O_CLOEXEC), name);
	put(outer, "cgroup.subtree_control", "+cpu +io +memory +pids");
	must(mkdirat(outer, "main", 0755), "main");
	int own = must(openat(outer, "main", O_DIRECTORY | O_CLOEXEC), "main");
	put(outer, "pids.max", "2048");
	put(outer, "memory.oom.group", "1");
	union bpf_attr attributes = { .target_fd = outer, .attach_bpf_fd = device_filter, .attach_type = BPF_CGROUP_DEVICE };
	must(syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes), "attach");
	close(outer);
	return own;
}

static void start(int all, int number, char **argv)
{
	int way[2], output[2][2];
	char word;
	write_files(number);
	int own = cgroup(all, number);
	/* Where its output would go. */
	must(pipe2(output[0], O_CLOEXEC), "pipe");
	must(pipe2(output[1], O_CLOEXEC), "pipe");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, way), "socketpair");
	struct clone_args args = { .flags = INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = own };
	if (must(syscall(SYS_clone3, &args, sizeof args), "clone3") == 0)
		setup(4000000000U - 65536U * (number + 1), way[0], way[1], argv);
	close(way[1]);
	close(own);
	close(output[0][1]);
	close(output[1][1]);
	if (recv(way[0], &word, 1, 0) != 1 || write(way[0], "g", 1) != 1)
		must(-1, "start");
	/* Its program runs when the other end is closed. */
	if (read(way[0], &word, 1) != 0)
		must(-1, "end");
	close(way[0]);
}

int main(int argc, char **argv)
{
	static struct sock_filter program[4096];
	if (argc < 5)
		return 125;
	DIR *layers = opendir(argv[1]);
	must(layers ? 0 : -1, argv[1]);
	for (struct dirent *one; (one = readdir(layers));)
		if (one->d_name[0] != '.')
			snprintf(layer, sizeof layer, "%s/%s", argv[1], one->d_name);
	closedir(layers);
	int from = must(open(argv[2], O_RDONLY | O_CLOEXEC), argv[2]);
	filter.len = must(read(from, program, sizeof program), argv[2]) / sizeof *program;
	filter.filter = program;
	device_filter = load();
	int said[2];
	must(pipe2(said, O_CLOEXEC | O_NONBLOCK), "pipe");
	int out = must(dup(1), "output");
	must(dup2(said[1], 1), "output");
	int all = must(open("/sys/fs/cgroup/containers", O_DIRECTORY | O_CLOEXEC), "cgroup");
	for (int number = 0; number < atoi(argv[3]); number++)
		start(all, number, argv + 4);
	/* Each has said what it has to say when it is heard; the others go on. */
	static char text[65536];
	sleep(1);
	ssize_t size = read(said[0], text, sizeof text);
	must(size > 0 ? write(out, text, size) : -1, "output");
	must(write(out, "limit: over\n", 12), "output");
	for (;;)
		pause();
}
