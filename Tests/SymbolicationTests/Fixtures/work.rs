// Generic methods, closures and iterators, most of it inlined.
use std::collections::BTreeMap;

mod inner {
    pub struct Holder<T>(pub T);
    impl<T: Clone + std::fmt::Debug> Holder<T> {
        #[inline(never)]
        pub fn texts(&self, count: usize) -> Vec<String> {
            (0..count).map(|i| format!("{:?}{}", self.0, i)).collect()
        }
    }
}

fn main() {
    let mut places = BTreeMap::new();
    for (place, text) in inner::Holder(3.5f64).texts(1000).into_iter().enumerate() {
        places.insert(text, place);
    }
    let count = |n: usize| places.values().filter(|v| *v % (n + 1) == 0).count();
    let total: usize = (0..10).map(count).sum();
    println!("{}", total);
}
