//! (now, Event) → Effects: states, dependencies, restarts, shutdown.
