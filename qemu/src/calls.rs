//! Speaking with the machine over its control ports: calls, and waiting for states.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, is_closed, outcome};
use crate::error::{Error, Result};
use crate::machine::Machine;

/// A supervisor that died with a question in hand never answers it. A question may be asked
/// again; an emulated machine that is very busy answers in less than this.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Between two looks at the list of containers, when nothing else happens before.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Machine {
    /// A session of its own: calls on it are answered in their order.
    pub fn connect(&self) -> Result<Client> {
        let wanted = "a session on a control port";
        let lease = self.ports.take().ok_or(Error::NoPort)?;
        let deadline = Instant::now() + self.deadline;
        match Client::open(lease, deadline, &|| self.still_there(wanted))? {
            Some(client) => Ok(client),
            None => Err(self.give_up(wanted, self.deadline)),
        }
    }

    /// The next message on a session.
    pub fn receive(&self, client: &mut Client) -> Result<Value> {
        let wanted = "an answer";
        let deadline = Instant::now() + self.deadline;
        match client.receive(deadline, &|| self.still_there(wanted))? {
            Some(answer) => Ok(answer),
            None => Err(self.give_up(wanted, self.deadline)),
        }
    }

    /// Calls a method once; a name without a dot is of `org.orlop.Control`.
    pub fn call(&self, method: &str, parameters: Value) -> Result<Value> {
        let mut client = self.connect()?;
        client.send(method, &parameters, false)?;
        outcome(method, self.receive(&mut client)?)
    }

    /// Calls a method with `more`, and takes answers until the last or until `take` says `false`.
    pub fn stream(&self, method: &str, parameters: Value, mut take: impl FnMut(Value) -> bool) -> Result<()> {
        let mut client = self.connect()?;
        client.send(method, &parameters, true)?;
        loop {
            let answer = self.receive(&mut client)?;
            let more = answer.get("continues") == Some(&Value::Bool(true));
            if !take(outcome(method, answer)?) || !more {
                return Ok(());
            }
        }
    }

    /// Asks a question that changes nothing, again when no answer comes: supervisors may die.
    pub fn ask(&self, method: &str, parameters: Value) -> Result<Value> {
        let wanted = format!("an answer to {method}");
        let last = Instant::now() + self.deadline;
        while Instant::now() < last {
            let deadline = last.min(Instant::now() + ASK_AGAIN);
            let alive = || self.still_there(&wanted);
            let lease = self.ports.take().ok_or(Error::NoPort)?;
            let Some(mut client) = Client::open(lease, deadline, &alive)? else { continue };
            client.send(method, &parameters, false)?;
            if let Some(answer) = client.receive(deadline, &alive)? {
                match outcome(method, answer) {
                    Err(error) if is_closed(&error) => {}
                    outcome => return outcome,
                }
            }
        }
        Err(self.give_up(&wanted, self.deadline))
    }

    /// Every container, as `orlop ps --json` shows them.
    pub fn ps(&self) -> Result<Vec<Value>> {
        let mut answer = self.ask("List", json!({}))?;
        match answer.get_mut("containers").map(Value::take) {
            Some(Value::Array(containers)) => Ok(containers),
            _ => Err(Error::Protocol { text: format!("no list of containers: {answer}") }),
        }
    }

    /// One container out of the list.
    pub fn container(&self, name: &str) -> Result<Value> {
        let all = self.ps()?;
        let found = all.iter().find(|container| container.get("name") == Some(&Value::from(name)));
        found
            .cloned()
            .ok_or_else(|| Error::Protocol { text: format!("no container `{name}` in {}", Value::from(all)) })
    }

    /// Waits until the container is in this state, and returns it.
    pub fn wait_for(&self, name: &str, state: &str) -> Result<Value> {
        let wanted = format!("{name} to be {state}");
        self.wait_until(name, &wanted, |container| container.get("state") == Some(&Value::from(state)))
    }

    /// Waits until something is true of the container, and returns it.
    pub fn wait_until(
        &self,
        name: &str,
        wanted: &str,
        mut check: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let last = Instant::now() + self.deadline;
        loop {
            let container = self.container(name)?;
            if check(&container) {
                return Ok(container);
            }
            if Instant::now() >= last {
                let wanted = format!("{wanted}; it is {container}");
                return Err(self.give_up(&wanted, self.deadline));
            }
            self.pause(LOOK_AGAIN);
        }
    }
}
