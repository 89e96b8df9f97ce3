//! A machine that runs classic BPF as the kernel does for seccomp(2), for tests and fuzzing: what it does not
//! know, it stops at.

/// Code, jump when it holds, jump when it does not, value: as struct sock_filter.
pub(crate) type Word = (u16, u8, u8, u32);

/// The verdict on a call.
pub(crate) fn run(program: &[Word], audit: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let load = |offset: u32| match offset {
        0 => number,
        4 => audit,
        _ => {
            let argument = arguments[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
    };
    let (mut at, mut loaded) = (0, 0u32);
    loop {
        let (code, yes, no, value) = program[at];
        at += 1;
        // linux/bpf_common.h.
        let holds = match code {
            0x20 => {
                loaded = load(value);
                continue;
            }
            0x54 => {
                loaded &= value;
                continue;
            }
            0x05 => {
                at += value as usize;
                continue;
            }
            0x06 => return value,
            0x15 => loaded == value,
            0x25 => loaded > value,
            0x35 => loaded >= value,
            other => panic!("instruction {other:#x}"),
        };
        at += usize::from(if holds { yes } else { no });
    }
}
