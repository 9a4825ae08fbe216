#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dnn_fuzz::source(bytes);
});
