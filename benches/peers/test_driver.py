"""Tests of what decides and writes: equality, ratios, the table, reading of outputs.

    python3 -m unittest discover --start-directory benches/peers
"""

import contextlib
import io
import json
import math
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import run
from driver import environment, growth, kernels, loading, processes, sweep, table, training
from driver.compare import (EXACT, OTHER_ORDER, SINGLE, Curve, Difference, Pairs, compare_curves,
                            compare_pixels, digits, show_seconds, verdict)
from driver.table import BEGIN, END, Row


class Equality(unittest.TestCase):
    def differ(self, ours, theirs, equality):
        with self.assertRaises(Difference) as caught:
            compare_curves(ours, theirs, equality)
        return str(caught.exception)

    def test_f64_is_equal_to_nine_digits_at_every_common_iteration(self):
        ours = Curve({0: 0.7, 50: 0.6, 2450: 0.1}, 0.09)
        self.assertEqual(compare_curves(ours, Curve({0: 0.7, 50: 0.6 + 5e-10}), EXACT),
                         "2 costs, at most 5.0e-10 apart")
        difference = self.differ(ours, Curve({0: 0.7, 50: 0.6 + 2e-9}), EXACT)
        self.assertRegex(difference, "cost at iteration 50: ours 0.6, theirs 0.600000002")
        self.differ(ours, Curve({0: math.nan}), EXACT)
        self.differ(ours, Curve({0: 0.7}, 0.08), EXACT)
        self.differ(ours, Curve({0: 0.7}, math.nan), EXACT)

    def test_nothing_in_common_is_not_equal(self):
        for equality in [EXACT, SINGLE, OTHER_ORDER]:
            self.differ(Curve({0: 0.7}), Curve({3: 0.7}, 0.1), equality)

    def test_f32_curves_may_part_after_iteration_50(self):
        ours = Curve({0: 0.7, 50: 0.6, 900: 0.3}, 0.09)
        compare_curves(ours, Curve({0: 0.7, 50: 0.60001, 900: 0.4}, 0.1), SINGLE)
        self.differ(ours, Curve({0: 0.7, 50: 0.61}, 0.09), SINGLE)
        self.differ(ours, Curve({0: 0.7, 50: 0.6}, 0.2), SINGLE)

    def test_batches_in_another_order_end_at_about_the_same_cost(self):
        ours = Curve({0: 2.3}, 1.0)
        compare_curves(ours, Curve({0: 2.5}, 1.05), OTHER_ORDER)
        self.differ(ours, Curve({0: 2.3}, 1.5), OTHER_ORDER)

    def test_pixels_are_equal_within_what_is_allowed(self):
        size = loading.IMAGE_BYTES
        ours = bytes([100]) * size
        theirs = bytearray(ours)
        compare_pixels(ours, bytes(theirs), 0.0, size)
        theirs[7] = 98
        with self.assertRaisesRegex(Difference, "^0.0002 levels apart on average, 2 at most$"):
            compare_pixels(ours, bytes(theirs), 0.0, size)
        compare_pixels(ours, bytes(theirs), 0.5, size)
        for a, b, within in [(ours, bytes([102]) * size, 1.0), (ours, ours + ours, 255.0),
                             (b"", b"", 255.0), (ours, b"", 255.0), (b"12345", b"12345", 255.0)]:
            with self.assertRaises(Difference):
                compare_pixels(a, b, within, size)


class Ratios(unittest.TestCase):
    def test_ratios_are_taken_pair_by_pair(self):
        # The machine was twice as slow for the second pair: its ratio is the same.
        pairs = Pairs([1.0, 2.0, 1.0], [150.0, 300.0, 149.0])
        self.assertEqual(pairs.ratio(), 150.0)
        self.assertEqual(pairs.show_ratio(), "150× (149 to 150)")
        self.assertEqual(Pairs([2.0], [3.0]).show_ratio(), "1.50×")

    def test_targets_are_floors(self):
        self.assertEqual([verdict(150, 150), verdict(149.9, 150), verdict(math.nan, 1), verdict(3, None)],
                         ["met", "not met", "not met", ""])
        self.assertEqual([digits(n) for n in [166.4, 16.64, 1.526]], ["166", "16.6", "1.53"])
        self.assertEqual([show_seconds(s) for s in [16.0, 0.1, 7.4e-6]], ["16.0 s", "100 ms", "7.40 µs"])


class Table(unittest.TestCase):
    JOBS = ["dense-f64", "growth"]
    EMPTY = f"# Title\n\n{BEGIN}\n{END}\n\nText after.\n"

    def replace(self, document, machine, job, ratio):
        row = Row(job=job, against="NumPy", ratio=ratio)
        return table.replace_rows(document, machine, job, [row], self.JOBS)

    def rows(self, document):
        rows = filter(None, map(table.parse, document.splitlines()))
        return [(row.job, row.ratio) for row in rows][2:]

    def test_rows_survive_being_read_again(self):
        rows = [Row(job="dense-f64", ratio="1.5×"), Row(job="growth", against="a|b", verdict="met")]
        lines = table.render(rows).splitlines()
        self.assertEqual([table.parse(line) for line in lines[2:]],
                         [rows[0], Row(job="growth", against="a/b", verdict="met")])

    def test_one_jobs_rows_are_replaced_and_others_stay_in_order(self):
        text = self.replace(self.EMPTY, "A; numpy 2", "growth", "1×")
        text = self.replace(text, "A; numpy 2", "dense-f64", "2×")
        text = self.replace(text, "A; numpy 2", "growth", "3×")
        self.assertTrue(text.startswith("# Title\n") and text.endswith("-->\n\nText after.\n"), text)
        self.assertEqual(self.rows(text), [("dense-f64", "2×"), ("growth", "3×")])

    def test_rows_of_another_machine_go(self):
        text = self.replace(self.EMPTY, "A; numpy 2", "growth", "1×")
        text = self.replace(text, "B; numpy 2", "dense-f64", "2×")
        self.assertEqual(self.rows(text), [("dense-f64", "2×")])
        self.assertNotIn("A; numpy", text)

    def test_a_package_of_one_python_alone_is_no_other_version(self):
        old = "A, 2 cores; rustc 1; 2 threads; Python 3.11, numpy 2.4, torch 2.1"
        new = "A, 2 cores; rustc 1; 2 threads; Python 3.11, numpy 2.4, pillow 13"
        both = "A, 2 cores; rustc 1; 2 threads; Python 3.11, numpy 2.4, pillow 13, torch 2.1"
        self.assertEqual(table.unite(old, new), both)
        self.assertIsNone(table.unite(old, new.replace("numpy 2.4", "numpy 2.5")))
        self.assertIsNone(table.unite(old, new.replace("rustc 1", "rustc 2")))
        self.assertIsNone(table.unite("| a row; of the table |", new))

    def test_a_document_without_markers_is_refused(self):
        for text in ["", BEGIN, self.EMPTY + self.EMPTY, f"{END}\n{BEGIN}"]:
            with self.assertRaises(table.BadDocument):
                table.divide(text)
        table.divide(self.EMPTY)

    def test_the_document_of_this_repository_reads_back_as_it_is(self):
        text = run.DOCUMENT.read_text(encoding="utf-8")
        before, old, after = table.divide(text)
        rows = [row for row in filter(None, map(table.parse, old.splitlines())) if row.job in run.JOBS]
        self.assertTrue({row.job for row in rows} <= set(run.JOBS))
        self.assertIn(table.render(rows), text)

    def test_a_file_is_replaced_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.md"
            path.write_text("old")
            table.write_whole(path, "new")
            self.assertEqual(path.read_text(), "new")
            self.assertEqual([entry.name for entry in Path(folder).iterdir()], ["a.md"])


class Outputs(unittest.TestCase):
    WATCHED = '{"wall_seconds": 0.5, "peak_rss_bytes": 1024, "others_cores": 0.25}\n'

    def test_both_sides_output_is_read(self):
        ours = '{\n  "costs": [{"iteration": 0, "cost": 0.7}]\n}\n' + self.WATCHED
        theirs = 'a remark\n{"final_cost": 0.1, "costs": []}\n' + self.WATCHED
        printed, measured = processes.parse_output(ours)
        self.assertEqual(measured, processes.Measured(0.5, 1024, 0.25))
        self.assertEqual(processes.curve_of(printed).costs, {0: 0.7})
        printed, _ = processes.parse_output(theirs)
        self.assertEqual(processes.curve_of(printed).final_cost, 0.1)

    def test_output_without_an_object_is_refused(self):
        for output in ["", "no JSON\n", self.WATCHED, "a remark\n" + self.WATCHED, "7\n" + self.WATCHED]:
            with self.assertRaises(processes.ProcessFailed):
                processes.parse_output(output)
        with self.assertRaises(processes.ProcessFailed):
            processes.curve_of({})
        curve = processes.curve_of({"costs": [{"iteration": 0, "cost": None}]})
        self.assertTrue(math.isnan(curve.costs[0]))

    def test_a_program_is_found_among_cargos_messages(self):
        messages = "a remark\n" + "".join(
            json.dumps({"target": {"name": name}, "executable": executable}) + "\n"
            for name, executable in [("dnn_data", None), ("other", "t/other"), ("wanted", "t/wanted-1")])
        self.assertEqual(processes.program_of(messages, "wanted"), Path("t/wanted-1"))
        with self.assertRaises(processes.ProcessFailed):
            processes.program_of(messages, "dnn_data")

    def test_runs_are_described_with_the_round_trip_around_them(self):
        bench = processes.Bench("python", Path("t/work"), 2, 3, True, False)
        self.assertEqual(bench.describe_runs(), "3 runs, quick")
        bench.round_trip, trips = "program", iter([1.05e-7, 5.2e-7, 9.9e-8])
        bench.launch_once = lambda command: ({"round_trip": next(trips)}, None)
        bench.reset_disturbance()
        self.assertEqual(bench.describe_runs(), "3 runs, quick, round trip 105 to 520 ns")
        bench.reset_disturbance()
        self.assertEqual(processes.describe_round_trips(bench.round_trips), ", round trip 99 ns")

    def test_criterions_estimate_is_found_by_its_id(self):
        with tempfile.TemporaryDirectory() as folder:
            for place, bench, median in [("a/b_c", "b/c", 5.0), ("d", "wanted/d", 7500.0)]:
                new = Path(folder) / place / "new"
                new.mkdir(parents=True)
                (new / "benchmark.json").write_text(json.dumps({"full_id": bench}))
                (new / "estimates.json").write_text(json.dumps({"median": {"point_estimate": median}}))
            self.assertEqual(kernels.criterion_median_s(Path(folder), "wanted/d"), 7500.0 * 1e-9)
            with self.assertRaises(processes.ProcessFailed):
                kernels.criterion_median_s(Path(folder), "other")


class Jobs(unittest.TestCase):
    def test_a_part_of_the_job_is_scaled_by_its_median_update(self):
        course, whole = training.JOBS["course-deep-f64"], training.JOBS["whole-process"]
        measured = processes.Run(train_s=1.0, step_s=0.003, wall_s=1.5)
        part = training.Task(None, [], [], scale=10.0)
        self.assertEqual(part.seconds(course, measured, True), 7.5)
        self.assertEqual(part.seconds(whole, measured, True), 8.0)
        # Ours is never a part; a peer without a median is scaled as a whole.
        self.assertEqual(part.seconds(course, measured, False), 1.0)
        measured.step_s = None
        self.assertEqual(part.seconds(course, measured, True), 10.0)
        self.assertEqual(training.Task(None, [], []).seconds(whole, measured, True), 1.5)

    def test_rows_show_their_unit_and_verdict(self):
        seconds, samples = training.Task(None, [], []), training.Task(None, [], [], n_samples=1000)
        row = Row.of_pairs("NumPy", Pairs([0.1], [16.0]), seconds.show, 150, "1 run")
        self.assertEqual((row.theirs, row.ours, row.ratio, row.target, row.verdict),
                         ("16.0 s", "100 ms", "160×", "≥ 150×", "met"))
        row = Row.of_pairs("NumPy", Pairs([0.1], [16.0]), samples.show, None, "1 run")
        self.assertEqual((row.ours, row.target, row.verdict), ("10000 samples/s", "", ""))

    def test_a_sweep_counts_for_all_seeds_when_their_costs_are_ours(self):
        with tempfile.TemporaryDirectory() as folder:
            bench = processes.Bench("python", Path(folder), 2, 1, True, False)
            bench.images = lambda: processes.Images("train.h5", "test.h5")
            rows = [{"setting": {"seed": seed}, "cost": 0.1 * seed} for seed in range(1, 11)]
            bench.launch_once = lambda command: ({"rows": rows}, processes.Measured(0.5, 0.0))
            costs = {str(seed): 0.1 * seed for seed in range(1, 4)}

            def train_peer(script, *args):
                return processes.Run(2.0, curve=Curve({}, costs[str(args[-1])]))

            bench.train_peer = train_peer
            self.assertEqual(sweep.seconds(bench, "f64"), (5.0, 200.0))
            self.assertIn("seed = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", (Path(folder) / "sweep.toml").read_text())
            costs["3"] += 1e-6
            with self.assertRaisesRegex(Difference, "^last cost of seed 3: ours 0.3"):
                sweep.seconds(bench, "f64")
            sweep.seconds(bench, "f32")

    def test_accuracies_are_compared_when_both_sides_did_the_whole_job(self):
        job = training.JOBS["whole-process"]

        def trained(accuracy):
            return processes.Run(1.0, curve=Curve({0: 0.7}, 0.1), test_accuracy=accuracy)

        whole = training.Task(None, [], [])
        training.hold_equal(job, whole, trained(0.8), trained(0.8))
        with self.assertRaisesRegex(Difference, "test accuracy: ours 0.8, theirs 0.82"):
            training.hold_equal(job, whole, trained(0.8), trained(0.82))
        training.hold_equal(job, training.Task(None, [], [], scale=10.0), trained(0.8), trained(0.82))

    def test_operations_are_those_of_the_course(self):
        course = growth.Size(209, 64, 20)
        # 4·12288·20·209 for W·X and dZ·Xᵀ, 6·(140 + 35 + 5)·209 for the rest.
        self.assertEqual(course.dense(), 205_455_360 + 225_720)
        self.assertEqual(course.gram(), 2 * 209 * 209 * 20 + 225_720)
        self.assertEqual(course.operations("dense", 10), 10 * course.dense())
        self.assertLess(course.operations("gram", 2500), course.operations("dense", 2500) / 50)

    def test_deviation_is_from_the_best_line(self):
        self.assertEqual(growth.deviation_from_line([(1.0, 2.0), (10.0, 20.0)]), 1.0)
        # Four times the cost an operation at one end: 2 either way from the line between.
        self.assertEqual(growth.deviation_from_line([(1.0, 4.0), (10.0, 10.0), (100.0, 200.0)]), 2.0)

    def test_every_point_is_drawn_within_the_axes(self):
        scale = growth.LogScale([2e3, 5e5], 0, 300)
        self.assertEqual((scale.low, scale.high), (3, 6))
        self.assertAlmostEqual(scale.place(1e4), 100)
        points = [(1e6, 1e-4), (3e7, 2e-3), (1e9, 0.2)]
        picture = growth.picture([growth.Series("examples", engine, points) for engine in ["dense", "auto"]])
        # Three of each, and two in the legend.
        self.assertEqual(picture.count("<circle"), 8)
        self.assertEqual(picture.count("dasharray"), 1)
        for place in picture.split('cx="')[1:]:
            self.assertTrue(growth.LEFT <= float(place.split('"')[0]) <= growth.RIGHT)


class Environment(unittest.TestCase):
    def test_what_no_peer_can_do_without_is_named(self):
        with self.assertRaisesRegex(environment.NoEnvironment, "^py: has no h5py: no peer can run$"):
            environment.check_needed("py", {"numpy": "2.4.6", "h5py": None, "torch": None})
        environment.check_needed("py", {"numpy": "2.4.6", "h5py": "3.16.0", "torch": None})

    def test_a_python_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(environment.NoEnvironment, "no-python: did not start"):
            environment.find_python("no-python", Path("."))

    def test_the_processor_is_read_from_linux(self):
        x86 = ("processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n"
               "flags\t\t: fpu avx fma avx2\nprocessor\t: 1\nmodel name\t: another\n")
        self.assertEqual(environment.processor(x86), "AMD EPYC (family 25, model 1) with AVX2 FMA")
        self.assertTrue(environment.processor("Features\t: fp asimd\n").endswith(" with NEON"))
        self.assertTrue(environment.processor("").endswith(" with ?"))

    def test_libraries_choose_their_own_kernels(self):
        with unittest.mock.patch.dict("os.environ", {"OPENBLAS_CORETYPE": "Haswell", "KEPT": "1"}):
            variables = environment.measured_environment(3)
        self.assertNotIn("OPENBLAS_CORETYPE", variables)
        self.assertEqual((variables["KEPT"], variables["OPENBLAS_NUM_THREADS"]), ("1", "3"))

    def test_arguments_are_checked(self):
        args = run.parse_arguments(["--quick", "--job", "growth", "--job", "dense-f64", "--repeat", "2"])
        self.assertEqual((args.jobs, args.repeat, args.threads), (["growth", "dense-f64"], 2, 2))
        for wrong in [["--job", "no-such"], ["--repeat", "0"], ["--threads", "257"], ["--repeat", "x"]]:
            with self.assertRaises(SystemExit) as exit, contextlib.redirect_stderr(io.StringIO()):
                run.parse_arguments(wrong)
            self.assertEqual(exit.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
