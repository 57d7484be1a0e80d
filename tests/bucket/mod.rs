//! Object stores: real servers on loopback.
