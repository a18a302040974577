//! As which client tokens are asked for.

use crate::config::document;
use crate::config::error::ConfigError;
use crate::config::secrets::{self, Outside};
use crate::servers::{Client, ClientAuthentication, OAuth};

pub(super) fn client(
    pointer: &str,
    document: Option<&document::Client>,
    outside: Outside<'_>,
) -> Result<Client, ConfigError> {
    const REGISTRATION: &str = "dynamic, metadata_document or registered";
    let at = |field: &str| format!("{pointer}/{field}");
    let Some(document) = document else {
        return Err(ConfigError::new(
            at("registration"),
            REGISTRATION,
            "nothing",
        ));
    };
    let others = [
        ("client_id", document.client_id.is_some()),
        ("client_secret", document.client_secret.is_some()),
        ("authentication", document.authentication.is_some()),
    ];
    let unregistered = match document.registration.as_str() {
        "dynamic" => Client::Dynamic,
        "metadata_document" => Client::MetadataDocument,
        "registered" => return registered_client(pointer, document, outside),
        other => {
            return Err(ConfigError::new(
                at("registration"),
                REGISTRATION,
                format_args!("{other:?}"),
            ));
        }
    };
    match others.into_iter().find(|(_, is_present)| *is_present) {
        Some((field, _)) => Err(ConfigError::new(
            at(field),
            "no such field: only a registered client has it",
            "one",
        )),
        None => Ok(unregistered),
    }
}

fn registered_client(
    pointer: &str,
    document: &document::Client,
    outside: Outside<'_>,
) -> Result<Client, ConfigError> {
    let at = |field: &str| format!("{pointer}/{field}");
    let id = document.client_id.clone().filter(|id| !id.is_empty());
    let Some(id) = id else {
        return Err(ConfigError::new(at("client_id"), "the client id", "none"));
    };
    let secret = document
        .client_secret
        .as_ref()
        .map(|secret| secrets::secret(secret, &at("client_secret"), outside))
        .transpose()?;
    let authentication = match (document.authentication.as_deref(), secret) {
        (None | Some("client_secret_basic"), Some(secret)) => ClientAuthentication::Basic(secret),
        (Some("client_secret_post"), Some(secret)) => ClientAuthentication::Post(secret),
        (None | Some("none"), None) => ClientAuthentication::None,
        (Some("none"), Some(_)) => {
            return Err(ConfigError::new(
                at("client_secret"),
                "no secret of a client that authenticates with none",
                "one",
            ));
        }
        (Some("client_secret_basic" | "client_secret_post"), None) => {
            return Err(ConfigError::new(
                at("client_secret"),
                "the client's secret",
                "none",
            ));
        }
        (Some(other), _) => {
            return Err(ConfigError::new(
                at("authentication"),
                "client_secret_basic, client_secret_post or none",
                format_args!("{other:?}"),
            ));
        }
    };
    Ok(Client::Registered { id, authentication })
}

pub(super) fn registered(
    pointer: &str,
    oauth: &OAuth,
    with_secret: bool,
) -> Result<(), ConfigError> {
    let Client::Registered { authentication, .. } = &oauth.client else {
        return Err(ConfigError::new(
            format!("{pointer}/client/registration"),
            "registered, with this grant",
            "another",
        ));
    };
    if with_secret && matches!(authentication, ClientAuthentication::None) {
        return Err(ConfigError::new(
            format!("{pointer}/client/client_secret"),
            "the client's secret, with this grant",
            "none",
        ));
    }
    Ok(())
}
