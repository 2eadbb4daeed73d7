//! What is wrong with the shop, and what is to become of it: the truth that a run's ledger, its report, the branch and
//! the tracker are held against.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// A request that fails, in the order in which the tracker hears of them.
pub struct Planted {
    /// The endpoint: the name of the transaction.
    pub name: &'static str,
    /// What is sent to it.
    pub body: &'static str,
    /// How the tracker's title of it begins.
    pub error: &'static str,
    /// What is to become of it.
    pub end: End,
}

/// How an error ends.
pub enum End {
    /// The goal's query does not find it.
    Outside(&'static str),
    /// A commit with this message.
    Fixed(&'static str),
    /// Fixed together with another that has the same root cause.
    With(&'static str),
    /// Words: how the diagnosis begins, and what of the shop it cites.
    Diagnosed(&'static str, &'static [Cited]),
}

/// A line of the shop, by what it holds.
pub struct Cited(pub &'static str, pub &'static str);

/// One answer of the scripted model at an item.
pub enum Step {
    /// A command.
    Shell(&'static str),
    /// A text of a file for another, or several.
    Edit(&'static [(&'static str, &'static str, &'static str)]),
    /// A new file.
    Write(&'static str, &'static str),
    /// The end that is planted.
    Close,
    /// The same, after that many seconds.
    CloseAfter(f64),
    /// A claim that must not hold.
    Claim(&'static str, &'static str),
}

use End::{Diagnosed, Fixed, Outside, With};
use Step::{Claim, Close, CloseAfter, Edit, Shell, Write};

/// Everything that fails.
pub const PLANTED: [Planted; 22] = [
    Planted {
        name: "web.home",
        body: r#"{"visit": 3}"#,
        error: "ZeroDivisionError",
        end: Outside("not of the api"),
    },
    Planted {
        name: "api.order_total",
        body: r#"{"cents": [450, 1200], "coupon": "SUMMER"}"#,
        error: "KeyError: 'SUMMER'",
        end: Fixed("Take an unknown coupon for none"),
    },
    Planted {
        name: "api.average_rating",
        body: r#"{"ratings": []}"#,
        error: "ZeroDivisionError: Fraction(0, 0)",
        end: Fixed("Know no mean of no ratings"),
    },
    Planted {
        name: "api.login_hint",
        body: r#"{"mail": "ann"}"#,
        error: "ValueError: not enough values to unpack",
        end: Outside("of another priority"),
    },
    Planted {
        name: "api.split_bill",
        body: r#"{"cents": 1000, "people": 3}"#,
        error: "ValueError: 3 shares of 333 are not 1000",
        end: Fixed("Give what is left of a bill to the first ones, a cent each"),
    },
    Planted {
        name: "api.customer_city",
        body: r#"{"name": "bob"}"#,
        error: "AttributeError: 'NoneType' object",
        end: Fixed("Label parcels of customers without an address"),
    },
    Planted {
        name: "api.import_names",
        body: r#"{"file": "Wm/rCkFubg=="}"#,
        error: "UnicodeDecodeError",
        end: Fixed("Read lists of names that are in Latin-1"),
    },
    Planted {
        name: "api.gift_message",
        body: r#"{"card": "{text: Congratulations}"}"#,
        error: "JSONDecodeError",
        end: Outside("resolved already"),
    },
    Planted {
        name: "api.order_page",
        body: r#"{"orders": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], "number": 2}"#,
        error: "IndexError: list index out of range",
        end: Fixed("Name the last order of a page that is not full"),
    },
    Planted {
        name: "api.delivery_day",
        body: r#"{"promised": "2024-05-01", "now": "2024-05-02T12:00:00+02:00"}"#,
        error: "TypeError: can't compare offset-naive and offset-aware datetimes",
        end: Fixed("Take promised days without a time zone as UTC"),
    },
    Planted {
        name: "api.return_order",
        body: r#"{"order": 2, "reason": "broken"}"#,
        error: "OperationalError: table returns has no column named reason",
        end: Diagnosed(
            "The column is misspelt in the migration that made the table, and the code spells it right. A fix is a new migration that renames the column.",
            &[
                Cited("shop/migrations/0003_returns.sql", "resaon"),
                Cited("shop/orders.py", "INSERT INTO returns"),
            ],
        ),
    },
    Planted {
        name: "web.search",
        body: r#"{"words": ["tea", 4]}"#,
        error: "TypeError: sequence item 1",
        end: Outside("not of the api"),
    },
    Planted {
        name: "api.export_csv",
        body: r#"{"orders": [{"id": "7", "customer": "bob", "note": null}]}"#,
        error: "TypeError: sequence item 2",
        end: Fixed("Export orders without a note"),
    },
    Planted {
        name: "api.find_product",
        body: r#"{"text": "Children's"}"#,
        error: "OperationalError: near \"s\": syntax error",
        end: Fixed("Hand the searched text to the database as a parameter"),
    },
    Planted {
        name: "api.category_depth",
        body: r#"{"category": "gifts"}"#,
        error: "RecursionError",
        end: Diagnosed(
            "Two categories are each other's parents, so the tree has no root there. The data has to be mended, and whoever edits categories has to be kept from making circles.",
            &[
                Cited("shop/catalog.py", "CATEGORIES ="),
                Cited("shop/catalog.py", "1 + depth(parent)"),
            ],
        ),
    },
    Planted {
        name: "api.rates_v1",
        body: r#"{"amount": "1,50", "currency": "USD"}"#,
        error: "InvalidOperation",
        end: Fixed("Read amounts with a decimal comma"),
    },
    Planted {
        name: "api.rates_v2",
        body: r#"{"amount": "12,00", "currency": "EUR"}"#,
        error: "InvalidOperation",
        end: With("api.rates_v1"),
    },
    Planted {
        name: "api.expire_carts",
        body: r#"{"carts": {"a": 1, "b": 200000}, "now": 200000}"#,
        error: "RuntimeError: dictionary changed size during iteration",
        end: Fixed("Look at a copy while carts are thrown away"),
    },
    Planted {
        name: "api.reserve_stock",
        body: r#"{"sku": "tea-1", "wanted": 3, "buyers": 4}"#,
        error: "RuntimeError: tea-1 was sold 1 times too often",
        end: Diagnosed(
            "Between looking at the level and setting it others do the same. One lock has to be held over both, in every function that touches the levels.",
            &[
                Cited("shop/stock.py", "def level("),
                Cited("shop/stock.py", "def set_level("),
                Cited("shop/stock.py", "level(sku) - wanted"),
            ],
        ),
    },
    Planted {
        name: "api.parse_weight",
        body: r#"{"text": "1,2kg"}"#,
        error: "ValueError: could not convert string to float",
        end: Outside("the sixteenth"),
    },
    Planted {
        name: "api.subscribe",
        body: r#"{"mail": "ann at example.org"}"#,
        error: "AttributeError: 'NoneType' object",
        end: Outside("the seventeenth"),
    },
    Planted {
        name: "web.sitemap",
        body: r#"{"pages": []}"#,
        error: "ValueError: max()",
        end: Outside("not of the api"),
    },
];

/// What the model does at an error. Steps after the first that ends the item are there for the case that others' work
/// got in its way.
pub fn steps(name: &str) -> &'static [Step] {
    /// Both sides of the imports stay; nobody needs fractions any more.
    const MERGE: Step = Shell(
        "sed -i '/^[<=>|]\\{7\\}/d; /^from fractions/d' shop/pricing.py; cat shop/pricing.py",
    );
    match name {
        "api.order_total" => &[
            Shell("cat shop/pricing.py"),
            Edit(&[
                (
                    "shop/pricing.py",
                    "from fractions import Fraction\n",
                    "import logging\nfrom fractions import Fraction\n",
                ),
                (
                    "shop/pricing.py",
                    "    return total - total * COUPONS[coupon] // 100",
                    "    if coupon not in COUPONS:\n        logging.getLogger(__name__).warning(\"unknown coupon\")\n        return total\n    return total - total * COUPONS[coupon] // 100",
                ),
            ]),
            Close,
            MERGE,
            Close,
        ],
        "api.average_rating" => &[
            Edit(&[
                (
                    "shop/pricing.py",
                    "from fractions import Fraction\n",
                    "from statistics import fmean\n",
                ),
                (
                    "shop/pricing.py",
                    "    return round(float(Fraction(sum(ratings), len(ratings))), 1)",
                    "    return round(fmean(ratings), 1) if ratings else None",
                ),
            ]),
            // Slow enough for the one before to be integrated meanwhile.
            CloseAfter(6.0),
            MERGE,
            Close,
        ],
        "api.split_bill" => &[
            Edit(&[(
                "shop/pricing.py",
                "    share = cents // people\n    shares = [share] * people\n",
                "    share = cents / people\n    shares = [share] * people\n",
            )]),
            Claim("fixed", "Split bills exactly"),
            Edit(&[(
                "shop/pricing.py",
                "    share = cents / people\n    shares = [share] * people\n",
                "    share, rest = divmod(cents, people)\n    shares = [share + 1] * rest + [share] * (people - rest)\n",
            )]),
            Write(
                "tests/test_shares.py",
                "import unittest\n\nfrom shop import pricing\n\n\nclass Shares(unittest.TestCase):\n    def test_what_is_left_is_shared(self):\n        self.assertEqual(pricing.split_bill(1000, 3), [334, 333, 333])\n",
            ),
            Close,
        ],
        "api.customer_city" => &[
            Edit(&[(
                "shop/customers.py",
                "CUSTOMERS[name][\"address\"].get(",
                "(CUSTOMERS[name][\"address\"] or {}).get(",
            )]),
            Close,
        ],
        "api.import_names" => &[
            Edit(&[(
                "shop/customers.py",
                "    text = base64.b64decode(file).decode(\"utf-8\")\n",
                "    data = base64.b64decode(file)\n    try:\n        text = data.decode(\"utf-8\")\n    except UnicodeDecodeError:\n        text = data.decode(\"latin-1\")\n",
            )]),
            Close,
        ],
        "api.order_page" => &[
            Edit(&[(
                "shop/orders.py",
                "\"last\": orders[last - 1]}",
                "\"last\": orders[first:last][-1]}",
            )]),
            Close,
        ],
        "api.delivery_day" => &[
            Edit(&[(
                "shop/orders.py",
                "    return datetime.fromisoformat(promised) < now",
                "    day = datetime.fromisoformat(promised)\n    return (day if day.tzinfo else day.replace(tzinfo=timezone.utc)) < now",
            )]),
            Close,
        ],
        "api.return_order" => &[
            Edit(&[(
                "shop/migrations/0003_returns.sql",
                "resaon TEXT",
                "reason TEXT",
            )]),
            Shell(
                "sed -i s/resaon/reason/ shop/migrations/0003_returns.sql; cat shop/migrations/0003_returns.sql",
            ),
            Close,
        ],
        "api.export_csv" => &[
            Edit(&[(
                "shop/orders.py",
                "\",\".join([order[\"id\"], order[\"customer\"], order[\"note\"]])",
                "\",\".join([order[\"id\"], order[\"customer\"], order[\"note\"] or \"\"])",
            )]),
            Close,
        ],
        "api.find_product" => &[
            Edit(&[(
                "shop/catalog.py",
                "execute(f\"SELECT sku FROM products WHERE name LIKE '%{text}%' ORDER BY sku\")",
                "execute(\"SELECT sku FROM products WHERE name LIKE '%' || ? || '%' ORDER BY sku\", (text,))",
            )]),
            Close,
        ],
        "api.category_depth" => &[
            Claim(
                "diagnosed",
                "The categories go round in circles: see shop/catalog.py:900.",
            ),
            Close,
        ],
        "api.rates_v1" => &[
            Edit(&[(
                "shop/rates.py",
                "    return Decimal(text)",
                "    return Decimal(text.replace(\",\", \".\"))",
            )]),
            Close,
        ],
        "api.expire_carts" => &[
            Edit(&[(
                "shop/carts.py",
                "in carts.items():",
                "in list(carts.items()):",
            )]),
            Close,
        ],
        "api.reserve_stock" => &[
            Edit(&[
                (
                    "shop/stock.py",
                    "LEVELS = {\"tea-1\": 5}\n",
                    "LEVELS = {\"tea-1\": 5}\nLOCK = threading.RLock()\n",
                ),
                (
                    "shop/stock.py",
                    "    return LEVELS[sku]\n",
                    "    with LOCK:\n        return LEVELS[sku]\n",
                ),
                (
                    "shop/stock.py",
                    "    LEVELS[sku] = number\n",
                    "    with LOCK:\n        LEVELS[sku] = number\n",
                ),
                (
                    "shop/stock.py",
                    "    set_level(sku, level(sku) - wanted)\n    return True\n",
                    "    with LOCK:\n        if level(sku) < wanted:\n            return False\n        set_level(sku, level(sku) - wanted)\n    return True\n",
                ),
            ]),
            Claim("fixed", "Lock the levels"),
            Close,
        ],
        _ => &[],
    }
}

/// How many of the model's closings are refused at an error, and how many of these because others were in the way.
pub fn refusals(name: &str) -> (u32, u32) {
    match name {
        "api.average_rating" => (1, 1),
        "api.split_bill" | "api.category_depth" | "api.reserve_stock" => (1, 0),
        _ => (0, 0),
    }
}

impl Planted {
    /// Whether it is on the worklist.
    pub fn listed(&self) -> bool {
        !matches!(self.end, Outside(_))
    }

    /// The outcome that the ledger is to say.
    pub fn outcome(&self) -> Option<&'static str> {
        match self.end {
            Outside(_) => None,
            Fixed(_) | With(_) => Some("fixed"),
            Diagnosed(..) => Some("diagnosed"),
        }
    }

    /// The evidence in words: the commit's message, or the diagnosis with its citations. `line` finds the line of a file
    /// that holds a text.
    pub fn evidence(&self, line: impl Fn(&str, &str) -> usize) -> String {
        match &self.end {
            Outside(_) | With(_) => String::new(),
            Fixed(message) => (*message).to_owned(),
            Diagnosed(words, cited) => {
                let cited: Vec<String> = cited
                    .iter()
                    .map(|Cited(path, text)| format!("{path}:{}", line(path, text)))
                    .collect();
                format!("{words} See {}.", cited.join(", "))
            }
        }
    }
}

/// The turns of a script at one item.
pub fn turns(planted: &Planted, id: &str, evidence: &str) -> Vec<Value> {
    let close = |outcome: &str, evidence: &str| json!({"close_item": {"id": id, "outcome": outcome, "evidence": evidence}});
    let outcome = planted.outcome().unwrap_or_default();
    let turn = |step: &Step| match step {
        Shell(command) => json!({"shell": {"command": command}}),
        Write(path, content) => json!({"write": {"path": path, "content": content}}),
        Edit(edits) => {
            let call = |(path, old, new): &(&str, &str, &str)| json!({"edit": {"path": path, "old": old, "new": new}});
            json!({"calls": edits.iter().map(call).collect::<Vec<_>>()})
        }
        Close => close(outcome, evidence),
        CloseAfter(seconds) => {
            let mut turn = close(outcome, evidence);
            turn["delay_s"] = json!(seconds);
            turn
        }
        Claim(outcome, evidence) => close(outcome, evidence),
    };
    steps(planted.name).iter().map(turn).collect()
}

/// Does by hand what the model does at an error, merges and false claims aside.
pub fn apply(name: &str, repo: &Path) {
    for step in steps(name) {
        match step {
            Edit(edits) => {
                for (path, old, new) in *edits {
                    let file = repo.join(path);
                    let text = fs::read_to_string(&file).expect("it is there");
                    // Two of them write their imports at one place; a person would merge them.
                    if path.ends_with("pricing.py") && old.starts_with("from fractions") {
                        let imports = text.replacen(old, new, 1);
                        let merged = imports
                            .replace("from fractions import Fraction\nfrom stat", "from stat");
                        fs::write(&file, merged).expect("written");
                        continue;
                    }
                    assert_eq!(text.matches(old).count(), 1, "{name}: {path}: {old}");
                    fs::write(&file, text.replacen(old, new, 1)).expect("written");
                }
            }
            Write(path, content) => fs::write(repo.join(path), content).expect("written"),
            Shell(_) | Close | CloseAfter(_) | Claim(..) => {}
        }
    }
}
