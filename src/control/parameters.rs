//! A call's parameters, taken one by one; what nobody takes is refused by name.

use alloc::string::String;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Error;

pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    pub(super) fn new(parameters: Map<String, Value>) -> Self {
        Self(parameters)
    }

    /// The parameter of this name. One that is left out is null, as Varlink has it: an error
    /// unless `T` is an `Option`.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Error> {
        let value = self.0.remove(name).unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|_| invalid(name))
    }

    /// To be called last: refuses what is left.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.0.keys().next() {
            Some(name) => Err(invalid(name)),
            None => Ok(()),
        }
    }
}

pub(super) fn invalid(name: &str) -> Error {
    Error::InvalidParameter { parameter: String::from(name) }
}
