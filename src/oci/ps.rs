//! `ps`: the processes of a container, by their numbers on this computer.

use std::process::{Command, Stdio};

use super::arguments::{Format, PsArguments};
use super::container::{Container, Status};
use super::failure::{Failure, Result, io_at};
use super::out::Out;
use super::store::Store;
use super::{members, users};
use crate::linux::proc;

/// # Errors
/// It does not run; ps(1) has something against its words.
pub(crate) fn ps(store: Option<&Store>, asked: &PsArguments, out: &mut Out) -> Result<()> {
    let Some((id, words)) = asked.words.split_first() else {
        return Err(Failure::new("container id cannot be empty"));
    };
    let (format, words) = formats_own(asked.format, words)?;
    let container = Container::find(store, id)?;
    if container.status == Status::Stopped {
        return Err(Failure::not_running());
    }
    let pids = members::of(&container)?;
    match format {
        Format::Json => {
            let numbers: Vec<String> = pids.iter().map(i32::to_string).collect();
            out.line(&format!("[{}]", numbers.join(",")))
        }
        Format::Table => table(&pids, words)?.iter().try_for_each(|line| out.line(line)),
    }
}

/// `--format json` and `--format table` are ours behind the id too; other words are for ps(1).
fn formats_own(before: Format, words: &[String]) -> Result<(Format, &[String])> {
    let (name, used) = match words {
        [first, second, ..] if first == "--format" => (second.as_str(), 2),
        [first, ..] => (first.strip_prefix("--format=").unwrap_or_default(), 1),
        [] => return Ok((before, words)),
    };
    let rest = words.get(used..).unwrap_or_default();
    match name {
        "json" => Ok((Format::Json, rest)),
        "table" => Ok((Format::Table, rest)),
        _ => Ok((before, words)),
    }
}

/// What ps(1) prints, without the processes of others. Where there is no ps(1), a table of our own.
fn table(pids: &[i32], words: &[String]) -> Result<Vec<String>> {
    let default = [String::from("-ef")];
    let given = if words.is_empty() { &default } else { words };
    let ran = Command::new("ps").args(given).stdin(Stdio::null()).output();
    let output = match ran {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && words.is_empty() => {
            return Ok(own_table(pids));
        }
        other => other.map_err(io_at("ps"))?,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        return Err(Failure::new(format!("ps: {}: {}", output.status, text(&output.stderr))));
    }
    pick(&text(&output.stdout), pids)
}

/// The first line, and those whose PID is one of these.
fn pick(text: &str, pids: &[i32]) -> Result<Vec<String>> {
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|title| title == "PID");
    let column = column.ok_or_else(|| Failure::new("ps: its output has no column PID"))?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|field| field.parse().ok());
        pid.is_some_and(|pid: i32| pids.contains(&pid))
    };
    Ok(std::iter::once(head).chain(lines.filter(is_ours)).map(str::to_owned).collect())
}

fn own_table(pids: &[i32]) -> Vec<String> {
    let head = String::from("UID              PID      PPID CMD");
    let line = |pid: &i32| {
        let parent = proc::parent(*pid).ok()?;
        let status = proc::read(&format!("/proc/{pid}/status")).ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
        let words = proc::read(&format!("/proc/{pid}/cmdline")).ok()?;
        let words = words.trim_end_matches('\0').replace('\0', " ");
        // As ps(1): one without words is shown by its name.
        let name = || status.lines().find_map(|line| line.strip_prefix("Name:")).map(str::trim);
        let shown = if words.is_empty() { format!("[{}]", name().unwrap_or_default()) } else { words };
        let shown: String = shown.chars().map(|it| if it.is_control() { '?' } else { it }).collect();
        let user = users::name(uid?.parse().ok()?);
        Some(format!("{user:<10} {pid:>9} {parent:>9} {shown}"))
    };
    std::iter::once(head).chain(pids.iter().filter_map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_containers_own_lines_are_shown() {
        let text =
            "UID   PID  PPID CMD\nroot    1     0 init\nroot   70     1 sleep 1\nroot  170     1 sleep 70";
        assert_eq!(pick(text, &[70]).unwrap(), ["UID   PID  PPID CMD", "root   70     1 sleep 1"]);
        assert!(pick("USER COMMAND\n", &[1]).is_err());
    }

    #[test]
    fn our_own_table_has_a_line_for_each_that_is_still_there() {
        let own = i32::try_from(std::process::id()).unwrap();
        let lines = own_table(&[own, i32::MAX]);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].contains(&format!(" {own} ")), "{lines:?}");
    }

    #[test]
    fn the_format_may_stand_behind_the_id_and_other_words_are_for_ps() {
        let check = |words: &[&str], expected: (Format, usize)| {
            let words: Vec<String> = words.iter().map(|it| String::from(*it)).collect();
            let (format, rest) = formats_own(Format::Table, &words).unwrap();
            assert_eq!((format, rest.len()), expected, "{words:?}");
        };
        check(&[], (Format::Table, 0));
        check(&["--format", "json"], (Format::Json, 0));
        check(&["--format=json", "-e"], (Format::Json, 1));
        check(&["-ef"], (Format::Table, 1));
        check(&["--format", "pid,comm"], (Format::Table, 2));
    }
}
