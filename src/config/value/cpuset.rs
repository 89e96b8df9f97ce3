//! Lists of CPUs as the kernel writes them, `0-1,4`.

use super::super::diagnostic::Mistake;
use alloc::format;

/// NR_CPUS of the largest kernels that distributions build (8192), less one.
const LAST_CPU: u32 = 8191;

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$";

pub(crate) fn check(text: &str) -> Result<(), Mistake> {
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Some(first), Some(last)) = (cpu(first), cpu(last)) else {
            let mistake =
                Mistake::new(format!("\"{text}\" is no list of CPUs: `{range}` is no number or range"));
            return Err(mistake.help(format!("like \"0-1,4\", with numbers up to {LAST_CPU}")));
        };
        if first > last {
            let mistake = Mistake::new(format!("\"{text}\" is no list of CPUs: `{range}` goes down"));
            return Err(mistake.help(format!("write \"{last}-{first}\"")));
        }
    }
    Ok(())
}

fn cpu(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|cpu| digits && *cpu <= LAST_CPU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_lists_of_cpus() {
        for right in ["0", "0-1,4", "7,3-3"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in ["", "0-", "a", "0,,1", "3-1", "0-8192", "0 1", "+1", "0-1-2"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
