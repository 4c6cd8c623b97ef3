//! The only place that makes a line for a shell: quoting, environment, the command's own end.
