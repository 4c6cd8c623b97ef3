//! The `doorward` command: hands the words to the library and its answer to the operating system.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(doorward::cli::run(std::env::args_os()))
}
