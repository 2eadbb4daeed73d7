//! The tracker's token comes from a command that asks a keyring: the run works as with a variable, the command is run once
//! in a process, and the token is nowhere but in the requests.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{Shop, TOKEN};

#[test]
fn a_token_that_a_command_prints_works_and_is_written_nowhere() {
    let Some(mut shop) = Shop::failing(1) else {
        return;
    };
    let token = shop.world.env.remove(TOKEN).expect("it was set");
    let at = |name: &str| shop.world.root.join(name);
    let (keyring, asked, config) = (at("keyring"), at("asked"), at("config.toml"));
    fs::write(&keyring, format!("{token}\n")).expect("written");
    let command = format!("echo x >> {}; cat {}", asked.display(), keyring.display());
    fs::write(&config, format!("[secrets]\n{TOKEN} = \"{command}\"\n")).expect("written");
    let config = config.to_str().expect("a plain name").to_owned();
    shop.world.env.insert("OVERNIGHT_CONFIG".to_owned(), config);
    let server = shop.model(&[]);
    let done = shop.world.run(&server, &shop.goal("")).exits(0);
    assert_eq!(
        done.report()["items"]["acts"],
        json!({"due": 2, "performed": 2, "failed": 0})
    );
    assert_eq!(fs::read_to_string(&asked).expect("it was asked"), "x\n");
    let said = format!("{}{}", done.out, done.err);
    assert!(!said.contains(&token), "{said}");
    nowhere(&shop.world.state, token.as_bytes());
    for request in server.requests() {
        assert!(!request.body.to_string().contains(&token));
    }
    // Locked meanwhile: said with its place, and nothing is begun.
    fs::remove_file(&keyring).expect("it was there");
    let refused = shop.world.run(&server, &shop.goal("")).exits(2);
    refused.complains("config.toml:2:1: the command for the secret BUGSINK_TOKEN gave none");
}

/// No file below a folder holds the text.
fn nowhere(folder: &Path, text: &[u8]) {
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        let about = entry.file_type().expect("it is there");
        if about.is_dir() {
            nowhere(&path, text);
        } else if about.is_file() {
            let held = fs::read(&path).expect("readable");
            let found = held.windows(text.len()).any(|part| part == text);
            assert!(!found, "{}", path.display());
        }
    }
}
