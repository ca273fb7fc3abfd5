//! The program: everything is in the library.

fn main() {
    std::process::exit(halodi::cli::run());
}
