// SPDX-License-Identifier: Apache-2.0
// What every kernel shares: clones per instruction set, random numbers per read,
// threads over groups of reads, and the clock that can stop them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace nb = nanobind;

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define QESTIM_X86_TARGETS 1
#endif
// Sanitizers define QESTIM_NO_CLONES: the function that chooses a clone runs before
// they are ready. Functions compiled for one stated target are not concerned.
#if defined(QESTIM_X86_TARGETS) && !defined(QESTIM_NO_CLONES)
#define QESTIM_CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define QESTIM_CLONES
#endif
// Helpers called from a cloned function must be inlined, or they lose its ISA.
#define QESTIM_INLINE inline __attribute__((always_inline))

namespace qestim {

template <class T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Hands a C++ vector over to numpy without a copy.
template <class T>
nb::object to_numpy(std::vector<T>&& values, std::initializer_list<size_t> shape) {
    auto* owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void* p) noexcept {
        delete static_cast<std::vector<T>*>(p);
    });
    return nb::cast(nb::ndarray<nb::numpy, T>(owned->data(), shape, owner));
}

// ---- random numbers: one stream a read, from (seed, read) ------------------

QESTIM_INLINE uint64_t splitmix64(uint64_t& state) {
    uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// The state from which the stream of one read is filled by splitmix64.
QESTIM_INLINE uint64_t read_state(uint64_t seed, uint64_t read) {
    uint64_t a = seed, b = read ^ 0xd1b54a32d192ed03ULL;
    return splitmix64(a) ^ (splitmix64(b) * 0x2545f4914f6cdd1dULL);
}

// ---- stopping --------------------------------------------------------------

// Says when to stop: the deadline passed, Ctrl-C was pressed, the caller's interrupt
// function said so, or a worker threw.
class Control {
  public:
    explicit Control(double time_limit, nb::object interrupt = nb::none())
        : caller_(std::this_thread::get_id()), start_(Clock::now()),
          limit_(time_limit > 0 ? time_limit
                                : std::numeric_limits<double>::infinity()),
          interrupt_(std::move(interrupt)) {}

    // Cheap enough for once a sweep. Only the calling thread asks Python, for signals
    // and the interrupt function: every 50 ms, or at once when `now` is set.
    bool should_stop(bool now = false) {
        if (stop_.load(std::memory_order_relaxed)) return true;
        const double time = seconds();
        if (time > limit_) {
            expired_ = true;
            stop_ = true;
            return true;
        }
        if (std::this_thread::get_id() != caller_) return false;
        if (!now && time - last_poll_ < 0.05) return false;
        last_poll_ = time;
        nb::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) {
            interrupted_ = true;
            stop_ = true;
        } else if (!interrupt_.is_none() && nb::cast<bool>(interrupt_())) {
            stop_ = true;
        }
        return stop_;
    }
    void stop() { stop_ = true; }
    bool stopped() const { return stop_.load(); }
    bool expired() const { return expired_.load(); }
    // With the GIL held: raises the pending KeyboardInterrupt or a worker's error.
    void rethrow() {
        if (error_) std::rethrow_exception(error_);
        if (interrupted_) throw nb::python_error();
    }
    void capture(std::exception_ptr error) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!error_) error_ = error;
        stop_ = true;
    }
    double seconds() const {
        return std::chrono::duration<double>(Clock::now() - start_).count();
    }

  private:
    using Clock = std::chrono::steady_clock;
    std::thread::id caller_;
    Clock::time_point start_;
    double limit_;
    double last_poll_ = 0;
    nb::object interrupt_;  // touched with the GIL held only
    std::atomic<bool> stop_{false}, expired_{false};
    bool interrupted_ = false;  // written and read by the calling thread only
    std::exception_ptr error_;
    std::mutex mutex_;
};

// Runs work(group) for group = 0 .. n_groups-1, in order of start, on num_threads
// threads (the caller is one of them). Call it with the GIL released; a group that
// starts after a stop is skipped, so work must itself look at should_stop().
template <class Work>
void parallel_groups(int64_t n_groups, int num_threads, Control& control, Work&& work) {
    std::atomic<int64_t> next{0};
    auto loop = [&]() {
        try {
            for (;;) {
                const int64_t group = next.fetch_add(1);
                if (group >= n_groups || control.stopped()) return;
                work(group);
            }
        } catch (...) {
            control.capture(std::current_exception());
        }
    };
    const int extra =
        static_cast<int>(std::min<int64_t>(num_threads, n_groups)) - 1;
    std::mutex mutex;
    std::condition_variable finished;
    int running = std::max(extra, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < extra; ++t)
        threads.emplace_back([&] {
            loop();
            std::lock_guard<std::mutex> lock(mutex);
            if (--running == 0) finished.notify_one();
        });
    loop();
    // The caller has no group left: it goes on polling for Ctrl-C until all are done.
    std::unique_lock<std::mutex> lock(mutex);
    while (running > 0) {
        finished.wait_for(lock, std::chrono::milliseconds(50));
        lock.unlock();
        control.should_stop();
        lock.lock();
    }
    lock.unlock();
    for (auto& thread : threads) thread.join();
}

}  // namespace qestim
