//! The `vidimus` binary: arguments in, a sentence and an exit code out.

use std::{env, ffi::OsString, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use cli::{ca, config_command, dev, extensions, init, pages, pebble::Program, perspective, serve};

/// A certificate authority, client and everything around them for ACME.
#[derive(Parser)]
#[command(name = "vidimus", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run an authority on this machine, at once, and obtain a certificate from it.
    Dev(dev::Dev),
    /// Write the configuration, root and keys of a new authority.
    Init(init::Init),
    /// Serve an authority.
    Serve(serve::Serve),
    #[command(subcommand)]
    Perspective(perspective::PerspectiveCommand),
    #[command(subcommand)]
    Ca(ca::CaCommand),
    /// Look at a configuration.
    #[command(subcommand)]
    Config(config_command::ConfigCommand),
    /// Write the documentation pages that are made from the code.
    #[command(hide = true)]
    Pages(pages::Pages),
    Cert(client::commands::CertCommand),
    Account(client::commands::AccountCommand),
    #[command(flatten)]
    Extension(extensions::ExtensionCommand),
    /// Serve an authority for one test run, with the command line and configuration of Pebble.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Pebble(Foreign),
    /// Answer every challenge as a script says, with the command line of pebble-challtestsrv.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    PebbleChalltestsrv(Foreign),
}

/// The command line of another program, which begins its words with one dash.
#[derive(Args)]
struct Foreign {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let called = env::args_os().next().unwrap_or_default();
    match Program::called(&called) {
        Some(program) => start(program.run(env::args_os().skip(1))),
        None => start(run(Cli::parse().command)),
    }
}

/// What every program of this binary needs before it begins.
fn start(program: impl Future<Output = ExitCode>) -> ExitCode {
    log();
    // One provider of cryptography in the process, chosen before anything uses it.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("vidimus: a provider of cryptography was installed twice");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("vidimus: no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(program)
}

async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Dev(dev) => dev.run().await,
        Command::Init(init) => init.run(),
        Command::Serve(serve) => serve.run().await,
        Command::Perspective(command) => command.run().await,
        Command::Ca(command) => command.run().await,
        Command::Config(command) => command.run().await,
        Command::Pages(pages) => pages.run(),
        Command::Cert(command) => return command.run(&mut client::commands::Output::standard()).await,
        Command::Account(command) => return command.run(&mut client::commands::Output::standard()).await,
        Command::Extension(command) => return command.run().await,
        Command::Pebble(foreign) => return Program::Pebble.run(foreign.arguments).await,
        Command::PebbleChalltestsrv(foreign) => return Program::Challtestsrv.run(foreign.arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("vidimus: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// To standard error, what the environment's RUST_LOG asks for; warnings otherwise.
fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .init();
}
