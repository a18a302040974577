//! What stands in place of a message of an upstream that is kept back.

use super::json_rpc::{BAD_GATEWAY, Error};
use crate::mcp::envelope::RequestId;
use crate::response::Withheld;

/// A JSON-RPC error that says why, as an answer to a request where one is
/// known.
pub fn withheld(why: Withheld, id: Option<&RequestId>) -> String {
    let error = Error::new(BAD_GATEWAY, format!("Withheld: {}", why.explanation()));
    error.answer(id).to_string()
}
