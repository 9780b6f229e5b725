//! The oracle of the engines: every order, one by one.
//!
//! It shares nothing with the engines, remembers nothing, and prunes nothing but what is illegal.

use super::{Call, NEVER};
use crate::models::Model;

/// Whether a legal order of all returned calls, and of any of the others, exists.
///
/// # Panics
/// With more than 16 calls.
pub fn linearizable<M: Model>(model: &M, calls: &[Call<M::Action>]) -> bool {
    assert!(calls.len() <= 16, "brute force is for tiny histories");
    extend(model, calls, 0, &model.initial())
}

fn extend<M: Model>(model: &M, calls: &[Call<M::Action>], done: u16, state: &M::State) -> bool {
    let open = |index: usize| done & (1 << index) == 0;
    if (0..calls.len()).all(|index| !open(index) || calls[index].returned == NEVER) {
        return true;
    }
    (0..calls.len()).filter(|&index| open(index)).any(|index| {
        let blocked = (0..calls.len()).any(|other| open(other) && calls[other].returned < calls[index].invoke);
        !blocked && model.step(state, &calls[index].action).is_some_and(|next| extend(model, calls, done | (1 << index), &next))
    })
}
