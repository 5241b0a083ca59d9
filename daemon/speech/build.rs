//! Finds libvosk, which `make` puts where VOSK_LIB_DIR says.

fn main() {
    println!("cargo:rerun-if-env-changed=VOSK_LIB_DIR");
    let dir = std::env::var("VOSK_LIB_DIR").unwrap_or_else(|_| "/usr/local/lib".into());
    println!("cargo:rustc-link-search=native={dir}");
    // For the tests of this crate; programs that use it say the same in a build script of their own, since these two lines do not reach them.
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
}
