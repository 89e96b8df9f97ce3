//! Screens, as they are drawn.

use orlop::control::{Entry, LogsReply, Stream};

use super::super::keys::Key;
use super::super::model::tests::model;
use super::*;

fn drawn(model: &mut Model, rows: usize, columns: usize) -> String {
    let lines = screen(model, rows, columns, Colours::Off);
    assert_eq!(lines.len(), rows);
    let widest = lines.iter().map(|line| line.chars().count()).max();
    assert!(widest <= Some(columns), "{widest:?}: {lines:#?}");
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn a_screen_has_a_head_rows_and_keys() {
    let expected = "\
4 containers: 3 running, 1 failed; 125.0% CPU, 14.0 MiB; by cpu
  NAME   STATE    READY  RESTARTS    CPU  LAST MINUTE    MEMORY  TASKS
▸ db     running  yes           2  90.0%             █  2.0 MiB   2097
  web    running  yes           2  25.0%             █  9.0 MiB   9437
  cache  running  yes           2  10.0%             █  3.0 MiB   3145
  job    failed   no            2      -             ▁        -      -

q quit  ↑↓ select  ⏎ log  r reverse  sort by: n s c m t x
";
    assert_eq!(drawn(&mut model(), 8, 72), expected);
}

#[test]
fn whatever_its_size_a_screen_keeps_to_it() {
    let mut model = model();
    for pane in [false, true] {
        for rows in 1..20 {
            for columns in [1, 2, 9, 40, 80, 200] {
                drawn(&mut model, rows, columns);
            }
        }
        if !pane {
            model.key(Key::Enter);
        }
    }
    // The one that is selected is always among those that are shown.
    model.key(Key::Escape);
    model.key(Key::End);
    assert!(drawn(&mut model, 5, 80).contains("▸ job"));
}

#[test]
fn wide_screens_have_everything_and_narrow_ones_what_matters() {
    let wide = drawn(&mut model(), 6, 200);
    assert!(
        wide.contains("UPTIME") && wide.contains("WAITS CPU") && wide.matches("LAST MINUTE").count() == 2
    );
    let narrow = drawn(&mut model(), 6, 30);
    assert!(
        narrow.contains("NAME   STATE") && narrow.contains("CPU") && !narrow.contains("READY"),
        "{narrow}"
    );
}

#[test]
fn the_log_of_the_selected_one_is_below_the_table() {
    let mut model = model();
    model.key(Key::Enter);
    let entry = Entry::output("db", Stream::Stdout, 1, String::new(), b"one\ntwo\n");
    model.pane.as_mut().unwrap().take(&LogsReply { entries: vec![entry] });
    let text = drawn(&mut model, 12, 40);
    let below = text.split_once("── log of db ─").unwrap().1;
    assert!(below.contains("\none\ntwo\n") && below.contains("esc close"), "{text}");
}

#[test]
fn trouble_is_said_in_the_head_and_harmless() {
    let mut model = model();
    model.trouble = Some("away\x1b[2J".into());
    assert!(drawn(&mut model, 6, 80).starts_with("away\u{fffd}[2J\n"));
    assert!(screen(&mut model, 6, 80, Colours::On)[0].starts_with("\x1b[31maway"));
}

#[test]
fn a_spark_shows_a_shape_and_its_newest_to_the_right() {
    let check = |samples: &[f64], expected: &str| {
        assert_eq!(spark(&samples.iter().copied().collect(), 6), expected, "{samples:?}");
    };
    check(&[], "      ");
    check(&[0.0], "     ▁");
    // Ten seconds a letter.
    check(&[1.0; 60], "██████");
    let rising: Vec<f64> = (1..=60).map(f64::from).collect();
    check(&rising, "▂▃▅▆▇█");
    check(&[5.0, 0.0], "     █");
}

#[test]
fn a_pipe_gets_the_table_once_and_whole() {
    let lines = plain_table(&model());
    assert_eq!(lines.len(), 5);
    assert!(lines[0].starts_with("NAME   STATE") && lines[0].contains("MEM IO"), "{}", lines[0]);
    assert!(!lines[0].contains("MINUTE") && lines[1].starts_with("db     running"), "{lines:#?}");
}

#[test]
fn nothing_that_runs_uses_nothing() {
    let mut model = Model::new(Sort::Cpu);
    assert!(drawn(&mut model, 3, 80).starts_with("0 containers: ; 0.0% CPU, 0 B; by cpu"));
}
