//! What a second and a key do to the table.

use orlop::control::State;

use super::*;
use crate::cli::testing::container;

pub(in crate::cli::monitor) fn figures(name: &str, cpu_us: u64, memory: u64) -> Figures {
    Figures {
        name: name.into(),
        cpu_us: Some(cpu_us),
        memory_bytes: Some(memory),
        processes: Some(memory / 1000),
        ..Figures::default()
    }
}

/// Three that run and one that does not, after two looks a second apart.
pub(in crate::cli::monitor) fn model() -> Model {
    let mut model = Model::new(Sort::Cpu);
    let names =
        [("cache", State::Running), ("db", State::Running), ("job", State::Failed), ("web", State::Running)];
    let containers: Vec<Container> = names.map(|(name, state)| container(name, state)).to_vec();
    for (boot_us, cpus) in [(1_000_000, [0, 0, 0]), (2_000_000, [100_000, 900_000, 250_000])] {
        model.take_list(ListReply { containers: containers.clone() });
        let memories = [3 << 20, 2 << 20, 9 << 20];
        let all = ["cache", "db", "web"].into_iter().zip(cpus).zip(memories);
        let containers = all.map(|((name, cpu), memory)| figures(name, cpu, memory)).collect();
        model.take_figures(StatsReply { boot_us, containers });
    }
    model
}

fn names(model: &Model) -> Vec<&str> {
    model.sorted().iter().map(|row| row.container.name.as_str()).collect()
}

#[test]
fn what_uses_most_stands_first_and_a_letter_changes_that() {
    let mut model = model();
    assert_eq!(names(&model), ["db", "web", "cache", "job"]);
    for (key, expected) in [
        ('m', ["web", "cache", "db", "job"]),
        ('n', ["cache", "db", "job", "web"]),
        ('s', ["cache", "db", "web", "job"]),
        ('t', ["web", "cache", "db", "job"]),
        // All have been restarted as often.
        ('x', ["cache", "db", "job", "web"]),
    ] {
        assert_eq!(model.key(Key::Letter(key)), Wish::Nothing);
        assert_eq!(names(&model), expected, "{key}");
    }
    model.key(Key::Letter('m'));
    model.key(Key::Letter('r'));
    assert_eq!(names(&model), ["job", "db", "cache", "web"]);
}

#[test]
fn rates_are_of_the_time_between_and_begin_anew_with_another_start() {
    let mut model = model();
    let cpu = |model: &Model, name: &str| {
        model.sorted().iter().find(|row| row.container.name == name).and_then(|row| row.cpu)
    };
    assert_eq!((cpu(&model, "db"), cpu(&model, "job")), (Some(90.0), None));
    model.take_figures(StatsReply { boot_us: 4_000_000, containers: vec![figures("db", 1_000_000, 1)] });
    assert_eq!((cpu(&model, "db"), cpu(&model, "web")), (Some(5.0), None));
    // Its counter is smaller: it was started again.
    model.take_figures(StatsReply { boot_us: 5_000_000, containers: vec![figures("db", 10, 1)] });
    assert_eq!(cpu(&model, "db"), None);
    for second in 6..100 {
        model.take_figures(StatsReply { boot_us: second * 1_000_000, containers: vec![] });
    }
    assert!(model.sorted().iter().all(|row| row.cpus.len() == MINUTE && row.memories.len() == MINUTE));
}

#[test]
fn the_selection_is_a_container_and_not_a_row() {
    let mut model = model();
    assert_eq!(model.chosen().as_deref(), Some("db"));
    // Nothing was typed: what is first is first.
    model.sort = Sort::Name;
    assert_eq!(model.chosen().as_deref(), Some("cache"));
    model.key(Key::Letter('c'));
    model.key(Key::Down);
    model.key(Key::Letter('m'));
    assert_eq!(model.chosen().as_deref(), Some("web"));
    model.key(Key::Up);
    assert_eq!(model.chosen().as_deref(), Some("web"), "above the first is nothing");
    model.key(Key::End);
    model.key(Key::PageDown);
    assert_eq!(model.chosen().as_deref(), Some("job"));
    // One that is not declared any more.
    model.take_list(ListReply { containers: vec![container("web", State::Running)] });
    assert_eq!(model.chosen().as_deref(), Some("web"));
    model.take_list(ListReply { containers: vec![] });
    assert_eq!((model.key(Key::Enter), model.chosen().as_deref()), (Wish::Log, None));
    assert!(model.pane.is_none());
}

#[test]
fn a_pane_follows_the_selection_until_it_is_closed() {
    let mut model = model();
    assert_eq!((model.key(Key::Enter), model.log_of()), (Wish::Log, Some("db")));
    assert_eq!(model.key(Key::Down), Wish::Log);
    assert_eq!(model.log_of(), Some("web"));
    assert_eq!(model.key(Key::PageUp), Wish::Nothing);
    assert_eq!((model.key(Key::Escape), model.log_of()), (Wish::Log, None));
    assert_eq!(model.key(Key::Escape), Wish::Nothing);
    assert_eq!((model.key(Key::Letter('q')), model.key(Key::Interrupt)), (Wish::Leave, Wish::Leave));
}
