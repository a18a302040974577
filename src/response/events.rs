//! Event streams (WHATWG HTML, "Server-sent events"), cut into events as
//! their bytes come.
