//! Identity sources, simulated: each is an HTTP server of its own on loopback that sends events to a gateway and answers what
//! that asks. They share no type with the product.

pub mod akamai;
pub mod akamai_sequence;
pub mod didomi;
pub mod http;
pub mod token;
pub mod transmitter;
