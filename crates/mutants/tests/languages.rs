//! Which faults each language's code has place for, and which pieces of it are left alone.

use overnight_mutants::{Planter, all};
use overnight_ports::faults::{Fault, Faults, Place};
use proptest::prelude::*;

/// Line and change of every fault.
fn changes(path: &str, content: &str) -> Vec<String> {
    all(path, content)
        .iter()
        .map(|fault| format!("{}: {}", fault.line, fault.change))
        .collect()
}

#[track_caller]
fn expect(path: &str, content: &str, wanted: &[&str]) {
    let (mut found, mut wanted) = (changes(path, content), wanted.to_vec());
    found.sort();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{path}\n{content}");
    for fault in all(path, content) {
        let planted = fault.planted(content).expect("it is this content's");
        assert_ne!(planted, content, "{}", fault.change);
    }
}

#[test]
fn python() {
    expect(
        "shop/cart.py",
        r#""""A cart: it is not empty when 1 < 2."""
import logging
from math import floor as f

LIMIT = 10
__version__ = "1"


def total(items: list[int], off: int = 0) -> int:
    """Adds up."""
    logging.info("adding " + str(len(items) + 1))
    if not items or off > LIMIT:
        return None
    for item in items:
        check(item)
    return sum(items) - off


def name(key):
    if key not in names["x"]:
        raise KeyError("no such name")
    return "Ann" if key == "a" else names[key]


if __name__ == "__main__":
    print(total([1, 2]))
"#,
        &[
            "5: `10` became `11`",
            "9: `0` became `1`",
            "12: `not items or off > LIMIT` became `False`",
            "12: `not items or off > LIMIT` became `True`",
            "12: `not items` became `items`",
            "12: `or` became `and`",
            "12: `>` became `>=`",
            "15: `check(item)` was taken away",
            "16: `sum(items) - off` became `0`",
            "16: `-` became `+`",
            "20: `key not in names[\"x\"]` became `False`",
            "20: `key not in names[\"x\"]` became `True`",
            "20: `not in` became `in`",
            "22: `\"Ann\"` became `\"\"`",
            "22: `\"Ann\" if key == \"a\" else names[key]` became `None`",
            "22: `key == \"a\"` became `False`",
            "22: `key == \"a\"` became `True`",
            "22: `==` became `!=`",
            "22: `\"a\"` became `\"\"`",
        ],
    );
}

#[test]
fn javascript() {
    expect(
        "src/cart.js",
        r#"'use strict';
import { tax } from './tax.js'; // 1 + 1
const logger = require('pino')('cart');
export const limit = 10;

export function total(items, { off = 0 } = {}) {
  logger.info('adding ' + items.length);
  for (let i = 0; i < items.length; i++) {
    if (items[0] === null || !items[i]) return false;
    check(items[i]);
  }
  return a + ' EUR';
}

const twice = (n) => n * 2;
const shape = { kind: 'cart', 'key': load('x') };
"#,
        &[
            "4: `10` became `11`",
            "6: `0` became `1`",
            "8: `<` became `<=`",
            "9: `items[0] === null || !items[i]` became `false`",
            "9: `items[0] === null || !items[i]` became `true`",
            "9: `===` became `!==`",
            "9: `||` became `&&`",
            "9: `!items[i]` became `items[i]`",
            "9: `false` became `true`",
            "10: `check(items[i]);` was taken away",
            "12: `a + ' EUR'` became `0`",
            "15: `n * 2` became `0`",
            "15: `*` became `/`",
            "15: `2` became `3`",
            "16: `'cart'` became `''`",
        ],
    );
}

#[test]
fn typescript() {
    expect(
        "src/cart.tsx",
        r#"import type { Item } from './item';
type Size = 1 | 2;
interface Named { name: 'cart'; size: 3 }
enum Colour { Red = 1 }
declare const version: 7;

export class Cart<T extends Item = Item> {
  private sum: number = 5;
  add(item: T): number {
    this.items.push(item);
    return this.sum as number;
  }
  view() {
    return <div className="cart">{this.sum > 0 ? 'full' : 'empty'}</div>;
  }
}
"#,
        &[
            "8: `5` became `6`",
            "10: `this.items.push(item);` was taken away",
            "11: `this.sum as number` became `0`",
            "14: `<div className=\"cart\">{this.sum > 0 ? 'full' : 'empty'}</div…` became `null`",
            "14: `this.sum > 0` became `false`",
            "14: `this.sum > 0` became `true`",
            "14: `>` became `>=`",
            "14: `0` became `1`",
            "14: `'full'` became `''`",
            "14: `'empty'` became `''`",
        ],
    );
}

#[test]
fn rust() {
    expect(
        "src/lib.rs",
        r#"//! A cart.
use std::collections::HashMap;
const LIMIT: [u8; 3] = [1, 2, 0x1f];

#[derive(Debug)]
pub enum Size { Small = 1 }

#[inline(never)]
pub fn total(items: &[u64], off: u64) -> Option<u64> {
    log::debug!("{}", items.len() + 1);
    if items.is_empty() && off > 4 {
        return None;
    }
    if let Some(first) = items.first() {
        check(*first)?;
    }
    let mut sum = Vec::with_capacity(8);
    sum += 1;
    items.iter().sum::<u64>().checked_sub(off)
}

pub fn full(&self) -> bool {
    !self.open
}

impl std::fmt::Debug for Cart {
    fn fmt(&self) -> u8 { 1 + 1 }
}

#[cfg(all(test, feature = "x"))]
mod tests {
    fn helper() -> u8 { 1 + 1 }
}

#[cfg(not(test))]
fn real() -> u8 { match x { 7 if y < 2 => 5, _ => 6 } }

#[tokio::test]
// A comment between.
async fn adds() { assert!(1 + 1 == 2); }
"#,
        &[
            "3: `1` became `2`",
            "3: `2` became `3`",
            "11: `items.is_empty() && off > 4` became `false`",
            "11: `items.is_empty() && off > 4` became `true`",
            "11: `&&` became `||`",
            "11: `>` became `>=`",
            "11: `4` became `5`",
            "15: `check(*first)?;` was taken away",
            "18: `+=` became `-=`",
            "18: `1` became `2`",
            "19: `items.iter().sum::<u64>().checked_sub(off)` became `Default::default()`",
            "23: `!self.open` became `self.open`",
            "23: `!self.open` became `false`",
            "23: `!self.open` became `true`",
            "36: `7` became `8`",
            "36: `y < 2` became `false`",
            "36: `y < 2` became `true`",
            "36: `<` became `<=`",
            "36: `2` became `3`",
            "36: `5` became `6`",
            "36: `6` became `7`",
        ],
    );
}

#[test]
fn go() {
    expect(
        "cart.go",
        r#"package cart

import "fmt"

type Item struct {
	Name string `json:"name"`
}

const Limit = 10

func Total(items []int, off int) (int, error) {
	fmt.Println("adding", len(items)+1)
	if len(items) == 0 || !ready {
		return 0, fmt.Errorf("empty")
	}
	buffer := make([]int, 0, 8)
	check(items)
	for i := 0; i < len(items); i++ {
		sum += items[0]
	}
	return sum - off, nil
}

func Name() string { return name }
"#,
        &[
            "9: `10` became `11`",
            "13: `len(items) == 0 || !ready` became `false`",
            "13: `len(items) == 0 || !ready` became `true`",
            "13: `==` became `!=`",
            "13: `0` became `1`",
            "13: `||` became `&&`",
            "13: `!ready` became `ready`",
            "14: `0` became `1`",
            "17: `check(items)` was taken away",
            "18: `<` became `<=`",
            "19: `+=` became `-=`",
            "21: `sum - off` became `0`",
            "21: `-` became `+`",
            "24: `name` became `\"\"`",
        ],
    );
}

#[test]
fn java() {
    expect(
        "src/main/java/shop/Cart.java",
        r#"package shop;

import java.util.List;

@SuppressWarnings("unchecked")
public class Cart {
    private static final int LIMIT = 10;

    public int total(List<Integer> items, int off) {
        logger.info("adding " + items.size());
        if (items.isEmpty() || !open) {
            return 0;
        }
        check(items);
        String label = "cart";
        return items.size() - off;
    }

    boolean full() { return size >= LIMIT ? true : open; }
}
"#,
        &[
            "7: `10` became `11`",
            "11: `items.isEmpty() || !open` became `false`",
            "11: `items.isEmpty() || !open` became `true`",
            "11: `||` became `&&`",
            "11: `!open` became `open`",
            "12: `0` became `1`",
            "14: `check(items);` was taken away",
            "15: `\"cart\"` became `\"\"`",
            "16: `items.size() - off` became `0`",
            "16: `-` became `+`",
            "19: `size >= LIMIT` became `false`",
            "19: `size >= LIMIT` became `true`",
            "19: `size >= LIMIT ? true : open` became `false`",
            "19: `size >= LIMIT ? true : open` became `true`",
            "19: `>=` became `>`",
            "19: `true` became `false`",
        ],
    );
}

#[test]
fn tests_hold_no_faults_and_neither_does_what_cannot_be_read() {
    assert!(all("src/cart.test.js", "x = 1 + 1").is_empty());
    assert!(all("src/cart.txt", "x = 1 + 1").is_empty());
    let nested = format!("x = {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(all("src/cart.js", &nested).is_empty());
    let large = "x = 1\n".repeat(200_000);
    assert!(all("cart.py", &large).is_empty());
}

fn place(path: &str) -> Place {
    Place {
        path: path.to_owned(),
        ..Place::default()
    }
}

fn pick(places: &[Place], files: &[(&str, &str)], most: usize) -> Vec<Fault> {
    let read = |path: &str| {
        files
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, content)| (*content).to_owned())
    };
    Planter.plant(places, &read, most)
}

const LONG: &str =
    "def a(x):\n    return x - 1 if x > 2 else x * 3\n\n\ndef b(x):\n    return x - 4\n";
const SHORT: &str = "def c(x):\n    return x - 1\n";

#[test]
fn a_sample_is_spread_over_files_and_functions_and_always_the_same() {
    let files = [("long.py", LONG), ("short.py", SHORT)];
    let places = [place("long.py"), place("short.py")];
    let two = pick(&places, &files, 2);
    assert_ne!(two[0].path, two[1].path, "{two:?}");
    let four = pick(&places, &files, 4);
    assert_eq!(two, four[..2]);
    let in_long: Vec<u64> = four
        .iter()
        .filter(|f| f.path == "long.py")
        .map(|f| f.line)
        .collect();
    assert!(in_long.contains(&2) && in_long.contains(&6), "{four:?}");
    // Neither the order of the files nor lines that move matter.
    assert_eq!(
        pick(&[place("short.py"), place("long.py")], &files, 4),
        four
    );
    let moved = format!("# moved\n{LONG}");
    let again = pick(&places, &[("long.py", &moved), ("short.py", SHORT)], 4);
    let words = |faults: &[Fault]| faults.iter().map(|f| f.change.clone()).collect::<Vec<_>>();
    assert_eq!(words(&again), words(&four));
    let all = pick(&places, &files, 1_000);
    assert_eq!(all.len(), 15, "{:#?}", words(&all));
    assert!(pick(&places, &files, 0).is_empty());
}

#[test]
fn faults_lie_where_the_tests_came_by() {
    let lines = |ran: &[(u64, bool)]| Place {
        path: "long.py".into(),
        lines: Some(ran.iter().copied().collect()),
        named: false,
    };
    let at = |place: Place| {
        let mut lines: Vec<u64> = pick(&[place], &[("long.py", LONG)], 100)
            .iter()
            .map(|f| f.line)
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    };
    assert_eq!(
        at(lines(&[(1, true), (2, false), (5, true), (6, true)])),
        [6]
    );
    // A line that is not measured belongs to the one above it.
    assert_eq!(at(lines(&[(1, true), (5, false)])), [2]);
    assert_eq!(at(lines(&[])), [2, 6]);
    assert!(at(lines(&[(1, false)])).is_empty());
}

#[test]
fn what_a_tool_wrote_is_left_out_unless_the_person_names_it() {
    let written = "# @generated\nx = 1\n";
    assert!(pick(&[place("a.py")], &[("a.py", written)], 9).is_empty());
    assert!(pick(&[place("a_pb2.py")], &[("a_pb2.py", "x = 1\n")], 9).is_empty());
    let named = |path: &str| Place {
        named: true,
        ..place(path)
    };
    assert_eq!(pick(&[named("a.py")], &[("a.py", written)], 9).len(), 1);
    assert_eq!(
        pick(&[named("a_pb2.py")], &[("a_pb2.py", "x = 1\n")], 9).len(),
        1
    );
    assert!(pick(&[named("test_a.py")], &[("test_a.py", "x = 1\n")], 9).is_empty());
}

const PATHS: [&str; 7] = ["a.rs", "a.py", "a.js", "a.ts", "a.tsx", "a.go", "A.java"];
const PIECES: [&str; 30] = [
    "fn f(x: u8) -> bool {\n",
    "def f(x):\n    ",
    "function f(x) {\n",
    "func f() int {\n",
    "}\n",
    "if ",
    "return ",
    "x < 1",
    " && ",
    " or ",
    "!x",
    "not x",
    "\"text\"",
    "'t'",
    "x += 2;\n",
    "call(x);\n",
    "(",
    ")",
    "{",
    "[1]",
    "=> ",
    "1.5",
    "ä",
    "\n",
    "`${x}`",
    "/* c */",
    "# c\n",
    "true",
    "else ",
    "while (",
];

proptest! {
    #[test]
    fn whatever_the_text_is_a_fault_changes_one_piece_of_it(
        path in prop::sample::select(&PATHS[..]),
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40),
        noise in ".{0,20}",
    ) {
        let content = format!("{}{noise}", pieces.concat());
        for fault in all(path, &content) {
            let planted = fault.planted(&content).expect("it is this content's");
            prop_assert_ne!(&planted, &content);
            prop_assert!(content.starts_with(&planted[..fault.start]));
            prop_assert!(planted.ends_with(&content[fault.end..]));
            let line = content[..fault.start].matches('\n').count() as u64 + 1;
            prop_assert_eq!(fault.line, line);
            prop_assert!(!fault.change.contains('\n'));
        }
    }
}

/// Everything that is picked leaves a file that parses: tried on this crate's own source.
#[test]
fn what_is_picked_parses() {
    let own = include_str!("../src/walk.rs");
    let picked = pick(&[place("walk.rs")], &[("walk.rs", own)], 60);
    assert_eq!(picked.len(), 60);
    for fault in picked {
        let planted = fault.planted(own).expect("it is this content's");
        // A file that does not parse has faults in fewer functions, and an error at its root.
        assert!(all("walk.rs", &planted).len() > 250, "{}", fault.change);
    }
}
