// Threads, channels, panics that are caught, and a child process.
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

fn count(n: u64) -> u64 {
    let (mut s, mut kept) = (0, BTreeMap::new());
    for i in 0..n {
        s = (s * 31 + i) % 1000003;
        if i % 20 == 0 { *kept.entry(s % 5003).or_insert(String::new()) = format!("{i}"); }
    }
    s + kept.values().map(|k| k.len() as u64).sum::<u64>()
}

fn main() {
    let (to, from) = mpsc::channel();
    for i in 1..=6 {
        let to = to.clone();
        thread::spawn(move || to.send((i, count(i * 300000))).unwrap());
    }
    drop(to);
    let mut all: Vec<_> = from.iter().collect();
    all.sort();
    println!("{all:?}");
    std::panic::set_hook(Box::new(|_| {}));
    let caught = (0..20000).filter(|i| std::panic::catch_unwind(|| if i % 2 == 0 { panic!("even") }).is_err()).count();
    println!("{caught}");
    let out = Command::new("/bin/sh").args(["-c", "echo child; exit 5"]).output().unwrap();
    println!("{:?} {:?}", String::from_utf8_lossy(&out.stdout), out.status.code());
    let clean = Command::new("/bin/sh").args(["-c", "exit 0"]).env_clear().status().unwrap();
    println!("{:?} {:?}", clean.code(), Command::new("/nonexistent").spawn().is_err());
    std::process::exit(9);
}
