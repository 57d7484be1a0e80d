//! Thanos' StoreAPI.
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | an endpoint as a source of series |
//! | [`server`] | Store and Info, served from any source of series |

pub mod client;
pub mod server;
