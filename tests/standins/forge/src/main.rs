//! The stand-in as a program, for trying out a host without an account.

use std::path::Path;
use std::process::ExitCode;

use standin_forge::Forge;

/// `standin-forge FOLDER PORT OWNER/NAME…`: serves these repositories, made if
/// they are missing, until it is ended.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, port, repositories @ ..] = arguments.as_slice() else {
        eprintln!("standin-forge: give a folder, a port (0 picks one), and repositories such as acme/api");
        return ExitCode::FAILURE;
    };
    match serve(Path::new(folder), port, repositories) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin-forge: {error}; choose another folder or port");
            ExitCode::FAILURE
        }
    }
}

fn serve(folder: &Path, port: &str, repositories: &[String]) -> std::io::Result<()> {
    let port = port.parse().map_err(std::io::Error::other)?;
    std::fs::create_dir_all(folder)?;
    let forge = Forge::start(&folder.canonicalize()?, port)?;
    forge.install_gh(folder)?;
    for repository in repositories {
        forge.create_repository(repository)?;
        println!("{}", forge.url(repository));
    }
    println!("Put {} first in PATH for a `gh` that talks to it. Ctrl-C ends it.", folder.display());
    forge.join();
    Ok(())
}
