//! Why something of a response does not reach the client.

/// Why a message of an upstream was kept back, or an error stands in its
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// It is no strict JSON-RPC, so what a client would read in it is not
    /// certain.
    NotUnderstood,
    /// It is longer than `limits.answer_bytes`, and it was not certain before
    /// that it may pass.
    TooLarge,
    /// The upstream ended in the middle of it.
    CutOff,
    /// The upstream asks the client for something that it may not ask for
    /// (sampling, elicitation, roots).
    ClientFeature,
    /// The upstream wants the user to open a URL of a host that is not
    /// allowed.
    ElicitationUrl,
    /// A task id or a request state that cannot be bound to the caller.
    Unbound,
    /// A message of a subscription of somebody else's, or about a resource
    /// that the caller may not read.
    Subscription,
}

impl Withheld {
    /// A short name, for the audit line and for metrics; one of a fixed set.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotUnderstood => "not_understood",
            Self::TooLarge => "too_large",
            Self::CutOff => "cut_off",
            Self::ClientFeature => "client_feature",
            Self::ElicitationUrl => "elicitation_url",
            Self::Unbound => "unbound",
            Self::Subscription => "subscription",
        }
    }

    /// What the client is told; nothing of what the upstream said.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::NotUnderstood => "the server's answer could not be understood",
            Self::TooLarge => "the server's answer is too large to be checked",
            Self::CutOff => "the server's answer was cut off",
            Self::ClientFeature => "the server asked for something that it may not ask for",
            Self::ElicitationUrl => "the server asked for a URL to be opened that is not allowed",
            Self::Unbound => "the server's answer could not be bound to you",
            Self::Subscription => "the server sent what was not asked for",
        }
    }
}
