//! What only a booted machine can show: one promise a file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail wherever it is"
)]

mod common;

mod a_bundle_is_the_container;
mod a_group_is_one_thing;
mod a_persons_word_counts;
mod attaches_to_a_container;
mod boots_and_says_so;
mod broken_boot;
mod capabilities_are_bounded;
mod chaos;
mod control_is_for_those_who_may;
mod copies_both_ways;
mod cpu_quota_holds;
mod demo;
mod devices_are_filtered;
mod events_tell_what_happened;
mod every_resource_is_a_file;
mod executes_in_a_container;
mod failure_budget;
mod faults;
mod figures_are_the_kernels;
mod five_hundred;
mod fork_bomb_stays_in_pids;
mod forwards;
mod forwards_by_tls;
mod from_outside;
mod has_namespaces_of_its_own;
mod hostile;
mod image_has_its_say;
mod is_known_to_be_well;
mod keeps_logs_on_a_disk;
mod keeps_on_without_its_disk;
mod kernel_log;
mod kills_between_steps;
mod limits_are_in_cgroupfs;
mod limits_change_live;
mod logger;
mod machine_is_prepared;
mod makes_instances;
mod memory_hog_is_killed_alone;
mod network_modes;
mod nothing_is_inherited;
mod opens_as_declared;
mod outlives_a_power_off;
mod pauses_and_goes_on;
mod power;
mod profiles_confine;
mod real_time_signals;
mod reaps_orphans;
mod reload_goes_on;
mod reloads_a_configuration;
mod replaces_what_is_stuck;
mod restarts_a_crashed_container;
mod runs_a_distributions_own_init;
mod runs_at_its_times;
mod runs_jobs_at_the_end;
mod safe_mode;
mod says_when_it_is_ready;
mod says_why;
mod sees_its_own_file_systems;
mod sees_what_others_changed;
mod shares_namespaces_in_a_group;
mod start_failure_says_why;
mod starts_as_declared;
mod starts_on_connection;
mod stopped_console;
mod stops_in_reverse_order;
mod supervisor_kills;
mod syslog;
mod system_calls_are_filtered;
mod takes_what_comes;
mod tells_how_a_shutdown_goes;
mod tells_how_it_ended;
mod tells_who_took_long;
mod top_shows_what_runs;
mod upgrade;
mod user_namespace_is_in_force;
mod varlink;
mod volumes_are_shared_and_kept;
mod waits_for_the_machine;
mod watchdog;
mod what_hangs_holds_up_nobody;
