//! Machines written both ways: a user's model against a statig machine written by hand, and against the plain rules of the
//! plant file on random trees.

use crate::testing::Stage;
use proptest::prelude::*;
use statig::prelude::*;

/// What a model does with numbers, one sample of `count` each: the letters that its entries and exits publish.
fn letters(model: &str, numbers: &[u8]) -> Vec<String> {
    let script: Vec<String> = numbers.iter().zip(1..).map(|(number, second)| format!("{second} count {number}")).collect();
    let played = Stage::new(model).play(&script.join("\n"));
    played.lines().filter_map(|line| line.strip_prefix("> publish ")).map(str::to_owned).collect()
}

/// Written as an engineer does.
const MODEL: &str = "
    a initial a1
      enter publish in a
      exit publish out a
      go when count == 1 to b/b2/y
      go when count == 2 to a/a1
    a/a1
      enter publish in a1
      exit publish out a1
      go when count == 3 to a/a1
      go when count == 4 to a/a2
    a/a2
      enter publish in a2
      exit publish out a2
      go when count == 1 to b/b1
    b initial b1
      enter publish in b
      exit publish out b
      go when count == 5 to a/a2
      go when count == 6 to b/b2/x
    b/b1
      enter publish in b1
      exit publish out b1
      go when count == 6 to b/b2/y
    b/b2 initial x
      enter publish in b2
      exit publish out b2
      go when count == 4 do publish stays b2
      go when count == 2 to b/b1
    b/b2/x
      enter publish in x
      exit publish out x
      go when count == 7 to b/b2/y
    b/b2/y
      enter publish in y
      exit publish out y
      go when count == 5 to b/b1
";

/// The same written by hand.
#[derive(Default)]
struct ByHand {
    letters: Vec<&'static str>,
}

#[state_machine(initial = "State::a_1()")]
impl ByHand {
    #[state(superstate = "a", entry_action = "in_a1", exit_action = "out_a1")]
    fn a_1(event: &u8) -> Outcome<State> {
        match event {
            3 => Transition(State::a_1()),
            4 => Transition(State::a_2()),
            _ => Super,
        }
    }

    #[state(superstate = "a", entry_action = "in_a2", exit_action = "out_a2")]
    fn a_2(event: &u8) -> Outcome<State> {
        if *event == 1 { Transition(State::b_1()) } else { Super }
    }

    #[superstate(entry_action = "in_a", exit_action = "out_a")]
    fn a(event: &u8) -> Outcome<State> {
        match event {
            1 => Transition(State::y()),
            2 => Transition(State::a_1()),
            _ => Super,
        }
    }

    #[state(superstate = "b", entry_action = "in_b1", exit_action = "out_b1")]
    fn b_1(event: &u8) -> Outcome<State> {
        if *event == 6 { Transition(State::y()) } else { Super }
    }

    #[state(superstate = "b_2", entry_action = "in_x", exit_action = "out_x")]
    fn x(event: &u8) -> Outcome<State> {
        if *event == 7 { Transition(State::y()) } else { Super }
    }

    #[state(superstate = "b_2", entry_action = "in_y", exit_action = "out_y")]
    fn y(event: &u8) -> Outcome<State> {
        if *event == 5 { Transition(State::b_1()) } else { Super }
    }

    #[superstate(superstate = "b", entry_action = "in_b2", exit_action = "out_b2")]
    fn b_2(&mut self, event: &u8) -> Outcome<State> {
        match event {
            4 => {
                self.letters.push("stays b2");
                Handled
            }
            2 => Transition(State::b_1()),
            _ => Super,
        }
    }

    #[superstate(entry_action = "in_b", exit_action = "out_b")]
    fn b(event: &u8) -> Outcome<State> {
        match event {
            5 => Transition(State::a_2()),
            6 => Transition(State::x()),
            _ => Super,
        }
    }

    #[action]
    fn in_a(&mut self) {
        self.letters.push("in a");
    }

    #[action]
    fn out_a(&mut self) {
        self.letters.push("out a");
    }

    #[action]
    fn in_a1(&mut self) {
        self.letters.push("in a1");
    }

    #[action]
    fn out_a1(&mut self) {
        self.letters.push("out a1");
    }

    #[action]
    fn in_a2(&mut self) {
        self.letters.push("in a2");
    }

    #[action]
    fn out_a2(&mut self) {
        self.letters.push("out a2");
    }

    #[action]
    fn in_b(&mut self) {
        self.letters.push("in b");
    }

    #[action]
    fn out_b(&mut self) {
        self.letters.push("out b");
    }

    #[action]
    fn in_b1(&mut self) {
        self.letters.push("in b1");
    }

    #[action]
    fn out_b1(&mut self) {
        self.letters.push("out b1");
    }

    #[action]
    fn in_b2(&mut self) {
        self.letters.push("in b2");
    }

    #[action]
    fn out_b2(&mut self) {
        self.letters.push("out b2");
    }

    #[action]
    fn in_x(&mut self) {
        self.letters.push("in x");
    }

    #[action]
    fn out_x(&mut self) {
        self.letters.push("out x");
    }

    #[action]
    fn in_y(&mut self) {
        self.letters.push("in y");
    }

    #[action]
    fn out_y(&mut self) {
        self.letters.push("out y");
    }
}

/// A random tree: for each state its parent, whether it remembers, and its rules as (number, target).
#[derive(Clone, Debug)]
struct Tree(Vec<Branch>);

#[derive(Clone, Debug)]
struct Branch {
    parent: Option<usize>,
    history: bool,
    rules: Vec<(u8, usize)>,
}

fn trees() -> impl Strategy<Value = Tree> {
    let rule = (0..6_u8, any::<prop::sample::Index>());
    let branch = (any::<prop::sample::Index>(), any::<bool>(), prop::collection::vec(rule, 0..4));
    prop::collection::vec(branch, 1..14).prop_map(|branches| {
        let count = branches.len();
        let tree = branches.into_iter().enumerate().map(|(position, (parent, history, rules))| Branch {
            // Its own place stands for none.
            parent: Some(parent.index(position + 1)).filter(|parent| *parent < position),
            history,
            rules: rules.into_iter().map(|(number, target)| (number, target.index(count))).collect(),
        });
        Tree(tree.collect())
    })
}

impl Tree {
    fn path(&self, state: usize) -> String {
        self.0[state].parent.map_or(format!("s{state}"), |parent| format!("{}/s{state}", self.path(parent)))
    }

    fn first_child(&self, state: usize) -> Option<usize> {
        self.0.iter().position(|branch| branch.parent == Some(state))
    }

    /// As a model in text.
    fn model(&self) -> String {
        let mut text = String::new();
        for (state, branch) in self.0.iter().enumerate() {
            text.push_str(&self.path(state));
            if let Some(child) = self.first_child(state) {
                text.push_str(&format!(" initial s{child}"));
                text.push_str(if branch.history { " history" } else { "" });
            }
            text.push_str(&format!("\n  enter publish in {state}\n  exit publish out {state}\n"));
            for (number, target) in &branch.rules {
                text.push_str(&format!("  go on count when count == {number} to {}\n", self.path(*target)));
            }
        }
        text
    }

    /// A state and the groups around it, from the inside out.
    fn around(&self, state: usize) -> Vec<usize> {
        std::iter::successors(Some(state), |state| self.0[*state].parent).collect()
    }
}

/// The rules of the plant file, in the plainest words.
struct Plain<'t> {
    tree: &'t Tree,
    leaf: usize,
    last_leaf: Vec<Option<usize>>,
    letters: Vec<String>,
}

impl Plain<'_> {
    fn landing(&self, state: usize) -> usize {
        match (self.last_leaf[state].filter(|_| self.tree.0[state].history), self.tree.first_child(state)) {
            (_, None) => state,
            (Some(leaf), _) => leaf,
            (None, Some(child)) => self.landing(child),
        }
    }

    fn take(&mut self, number: u8) {
        let rule = self.tree.around(self.leaf).into_iter().find_map(|state| {
            let (_, target) = self.tree.0[state].rules.iter().find(|(wanted, _)| *wanted == number)?;
            Some((state, *target))
        });
        let Some((source, target)) = rule else { return };
        let active = self.tree.around(self.leaf);
        // A target around the active leaf keeps itself and what is around it, unless the rule is its own; any other keeps what
        // the leaf and the target share.
        let kept = |state: &usize| match active.contains(&target) && target != self.leaf {
            true => self.tree.around(target).contains(state) && !(*state == target && source == target),
            false => *state != self.leaf && self.tree.around(target).contains(state),
        };
        for state in active.iter().filter(|state| !kept(state)) {
            self.letters.push(format!("out {state}"));
            self.last_leaf[*state] = Some(self.leaf);
        }
        let landing = self.landing(target);
        let entered = self.tree.around(landing).into_iter().rev().filter(|state| !(active.contains(state) && kept(state)));
        self.letters.extend(entered.map(|state| format!("in {state}")));
        self.leaf = landing;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_model_moves_as_the_same_machine_written_by_hand(numbers in prop::collection::vec(0..9_u8, 0..40)) {
        let mut by_hand = ByHand::default().state_machine();
        by_hand.init();
        numbers.iter().for_each(|number| by_hand.handle(number));
        // What the start publishes is performed before the script begins.
        prop_assert_eq!(letters(MODEL, &numbers), &by_hand.inner().letters[2..]);
    }

    #[test]
    fn random_trees_move_by_the_rules_of_the_plant_file(tree in trees(), numbers in prop::collection::vec(0..6_u8, 0..30)) {
        let mut plain = Plain { tree: &tree, leaf: 0, last_leaf: vec![None; tree.0.len()], letters: Vec::new() };
        plain.leaf = plain.landing(0);
        numbers.iter().for_each(|number| plain.take(*number));
        prop_assert_eq!(letters(&tree.model(), &numbers), plain.letters, "{}", tree.model());
    }
}
