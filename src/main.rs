//! The `halodi` program: see [`halodi::cli`].

fn main() {
    std::process::exit(halodi::cli::main());
}
