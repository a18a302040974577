//! The resolve call of the token service.
