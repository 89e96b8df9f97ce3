//! What a state looks like: one colour a word, in every picture.

/// Fill, for the word of a state or of a phase. A word of a later release is grey.
pub(super) fn of(word: &str) -> &'static str {
    match word {
        "waiting" => "#d9d9d9",
        "starting" => "#f4d35e",
        "running" => "#7bc47f",
        "ready" => "#3e9b50",
        "stopping" => "#f4a259",
        "backoff" => "#e98a8a",
        "exited" => "#b8c4d6",
        "failed" | "unhealthy" => "#d64550",
        "stuck" => "#7d2e68",
        "invalid" => "#8c8c8c",
        "phase" => "#8fb8de",
        _ => "#c8c8c8",
    }
}
