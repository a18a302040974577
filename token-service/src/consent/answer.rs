//! What an authorization server sends a browser back with (RFC 6749, sections
//! 4.1.2 and 4.1.2.1; RFC 9207).

use url::form_urlencoded;

use super::problem::Problem;
use crate::secret::Secret;
use crate::storage::Handle;

/// An authorization answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// What ties it to the request.
    pub(super) state: Handle,
    /// Whose it says it is.
    pub(super) iss: Option<String>,
    /// The code, or the error code.
    pub(super) result: Result<Secret, String>,
}

impl Answer {
    /// Reads the query. A parameter that counts comes once (RFC 6749, section
    /// 3.1); of code and error there is one.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let mut values: [Option<String>; 4] = [const { None }; 4];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let names = ["state", "iss", "code", "error"];
            let slot = names
                .iter()
                .position(|known| *known == name)
                .and_then(|index| values.get_mut(index));
            if let Some(slot) = slot
                && slot.replace(value.into_owned()).is_some()
            {
                return Err(Problem::BadAnswer);
            }
        }
        let [state, iss, code, error] = values;
        let state = Handle::presented(state.ok_or(Problem::BadAnswer)?);
        if !state.is_well_formed() {
            return Err(Problem::BadAnswer);
        }
        let result = match (code, error) {
            (Some(code), None) if !code.is_empty() => Ok(Secret::new(code)),
            (None, Some(error)) => Err(error),
            _ => return Err(Problem::BadAnswer),
        };
        Ok(Self { state, iss, result })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_code_or_an_error_and_has_a_state() {
        let state = "s".repeat(43);
        let read = |query: &str| Answer::parse(&query.replace("STATE", &state));
        let code = read("code=a%2Bb&state=STATE&iss=https%3A%2F%2Fas.example&more=1").unwrap();
        assert_eq!(code.result.unwrap().expose(), b"a+b");
        assert_eq!(code.iss.as_deref(), Some("https://as.example"));
        let error = read("error=access_denied&error_description=x&state=STATE").unwrap();
        assert_eq!(error.result.unwrap_err(), "access_denied");
        for query in [
            "",
            "code=a",
            "state=STATE",
            "code=&state=STATE",
            "code=a&state=short",
            "code=a&error=b&state=STATE",
            "code=a&code=b&state=STATE",
            "code=a&state=STATE&state=STATE",
            "code=a&state=STATE&iss=x&iss=y",
        ] {
            assert_eq!(read(query).err(), Some(Problem::BadAnswer), "{query}");
        }
    }
}
