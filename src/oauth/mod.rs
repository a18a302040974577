//! The OAuth 2.1 resource server: from a bearer token to an [`Identity`].

pub mod claims;
pub mod identity;
pub mod issuer;
pub mod scopes;

pub use claims::ClaimPath;
pub use identity::{Identity, SubjectType};
pub use issuer::Issuer;
pub use scopes::Scopes;
