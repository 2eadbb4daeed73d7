//! How long a cell takes to open, and a command in it to run: `cargo run -p overnight-sandbox --example latency`.

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use overnight_ports::sandbox::{Cell, CellSpec, Command, Network, Streams};
    use overnight_sandbox::LinuxSandbox;

    const CELLS: usize = 20;
    const COMMANDS: usize = 300;

    pub async fn measure() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let workspace = dir.path().join("workspace");
        std::fs::create_dir(&workspace)?;
        let spec = CellSpec {
            inside: overnight_ports::sandbox::WORKSPACE_INSIDE.into(),
            workspace,
            private: dir.path().join("private"),
            base_layer: None,
            layers: Vec::new(),
            readonly: Vec::new(),
            network: Network::Loopback,
            env: BTreeMap::new(),
            hidden: Vec::new(),
        };
        let command = Command {
            script: "true".to_owned(),
            dir: String::new(),
            env: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            stdin: None,
            streams: Streams::Merged,
        };
        let sandbox = LinuxSandbox::new();
        let (mut opening, mut closing, mut running) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..CELLS {
            let start = Instant::now();
            let cell = sandbox.open_cell(spec.clone()).await?;
            opening.push(start.elapsed());
            let start = Instant::now();
            cell.close().await;
            closing.push(start.elapsed());
        }
        let cell = sandbox.open_cell(spec).await?;
        for _ in 0..COMMANDS {
            let start = Instant::now();
            cell.run(command.clone()).await?;
            running.push(start.elapsed());
        }
        println!(
            "open a cell:  {:>8.2} ms (median of {CELLS})",
            median(opening)
        );
        println!(
            "close a cell: {:>8.2} ms (median of {CELLS})",
            median(closing)
        );
        println!(
            "run `true`:   {:>8.2} ms (median of {COMMANDS})",
            median(running)
        );
        Ok(())
    }

    fn median(mut times: Vec<Duration>) -> f64 {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1000.0
    }
}

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    overnight_sandbox::cell_main_if_asked();
    linux::measure().await
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("cells need Linux");
}
