//! What supervision promises, whatever happens.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    StopsAreKept,
    StartsAreKept,
    OneGeneration,
    Awaited,
    DependenciesFirst,
    DependentsFirst,
    ShutdownInTime,
    RunsInItsCgroup,
    EndsAreJudged,
    PausesAreBounded,
    DownIsGone,
    EffectsAreAddressed,
    NothingUnasked,
    StaleReportsAreIgnored,
    ReadyIsTrue,
    GatesFirst,
    NeverTogether,
    JobsLeaveTime,
    StaysSmall,
}

impl Promise {
    pub const ALL: [Self; 19] = [
        Self::StopsAreKept,
        Self::StartsAreKept,
        Self::OneGeneration,
        Self::Awaited,
        Self::DependenciesFirst,
        Self::DependentsFirst,
        Self::ShutdownInTime,
        Self::RunsInItsCgroup,
        Self::EndsAreJudged,
        Self::PausesAreBounded,
        Self::DownIsGone,
        Self::EffectsAreAddressed,
        Self::NothingUnasked,
        Self::StaleReportsAreIgnored,
        Self::ReadyIsTrue,
        Self::JobsLeaveTime,
        Self::GatesFirst,
        Self::NeverTogether,
        Self::StaysSmall,
    ];

    pub fn text(self) -> &'static str {
        match self {
            Self::StopsAreKept => "a stop that was asked for is never lost",
            Self::StartsAreKept => "a start that was asked for is never lost",
            Self::OneGeneration => "two generations of a container never overlap",
            Self::Awaited => "a state that is not final waits for a time, or for what somebody owes",
            Self::DependenciesFirst => "nothing starts before what it requires",
            Self::DependentsFirst => "nothing is stopped before the dependents that stop with it",
            Self::ShutdownInTime => "a shutdown is over by its deadline, and as soon as all is down",
            Self::RunsInItsCgroup => "what is called running has a process",
            Self::EndsAreJudged => "what follows an end is what its declaration says",
            Self::PausesAreBounded => "no pause is longer than the longest that is declared",
            Self::DownIsGone => "of what is called down nothing is left",
            Self::EffectsAreAddressed => "what is asked for is about the generation that is there",
            Self::NothingUnasked => "nothing runs or starts that nobody wants",
            Self::StaleReportsAreIgnored => "a report about another generation changes nothing",
            Self::ReadyIsTrue => "what is called ready or healthy has shown it",
            Self::JobsLeaveTime => "jobs of the shutdown leave all others the whole time of their stops",
            Self::GatesFirst => "nothing starts while the machine is not what it waits for",
            Self::NeverTogether => "two that are in conflict are never up together",
            Self::StaysSmall => "what is remembered does not grow with what has happened",
        }
    }
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub promise: Promise,
    pub at: Duration,
    pub text: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not so at {:?}: {}", self.promise.text(), self.at, self.text)
    }
}
