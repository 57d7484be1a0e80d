//! Thanos' StoreAPI.
//!
//! | module | holds |
//! |---|---|
//! | [`server`] | Store and Info, served from any source of series |

pub mod server;
