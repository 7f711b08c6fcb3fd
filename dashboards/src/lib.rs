//! People and programs: HTTP API, live stream and the web interface.
