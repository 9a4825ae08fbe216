#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dnn_fuzz::csv(bytes);
});
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    dnn_fuzz::mutate(data, size, max_size, seed, libfuzzer_sys::fuzzer_mutate)
});
