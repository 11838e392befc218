# signalbox. `make help` lists the targets; everything that is made goes to build/.
#
#   make V=1            shows the commands
#   make VARIANT=asan   builds the whole tree again under build/asan (asan, tsan, fuzz; plain is build/ itself)

VERSION := 0.1.0
VARIANT ?= plain
PREFIX ?= /usr/local
DESTDIR ?=
bindir ?= $(PREFIX)/bin
datadir ?= $(PREFIX)/share
FUZZ_SECONDS ?= 30
CRASH_KILLS ?= 200

# Before the line below: without letters of its own the first word would be that line's.
dry_run := $(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS))))
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-6s %s\n')
empty :=
hash := \#

# ---------------------------------------------------------------------------- dependencies

# Found (or installed) before anything else is read, since pkg-config is one of them. Costs 2 ms when all is there.
goals := $(or $(MAKECMDGOALS),all)
no_deps := help clean uninstall lab-stop print-%
groups_test := check check-unit format lint lint-clang asan tsan fuzz build-tests build-fuzz
groups_lab := check crash lab lab-traffic bench
groups := $(if $(filter-out $(no_deps),$(goals)),build)
groups += $(if $(filter $(groups_test),$(goals)),test)
groups += $(if $(filter $(groups_lab),$(goals)),lab)
groups += $(if $(filter bench,$(goals)),bench)
ifneq ($(strip $(groups)),)
ifeq ($(SIGNALBOX_DEPS)$(dry_run),)
$(shell scripts/deps $(groups) >&2)
ifneq ($(.SHELLSTATUS),0)
$(error packages are missing, see above)
endif
endif
export SIGNALBOX_DEPS := 1
endif

# ---------------------------------------------------------------------------- what there is

lib_dirs := src/base src/model src/net decoders probes src/brokers src/brokers/* src/engine src/operations
app_dirs := src/cli src/demo ui ui/views
LIB_SRC := $(sort $(wildcard $(lib_dirs:%=%/*.c)))
APP_SRC := $(sort $(wildcard src/registry.c $(app_dirs:%=%/*.c)))
MAIN_SRC := $(wildcard src/main.c)
SRC := $(LIB_SRC) $(APP_SRC) $(MAIN_SRC)
HEADERS := $(sort $(wildcard $(addsuffix /*.h,$(lib_dirs) $(app_dirs) src)))
TABLES := $(sort $(wildcard $(addsuffix /*.def,$(lib_dirs) $(app_dirs) src)))

# tests/unit/**/test_*.c: one program each. The others in tests/support/ are linked into all of them.
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
INTEGRATION_SRC := $(sort $(wildcard tests/integration/test_*.c tests/integration/*/test_*.c))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH_SRC := $(sort $(wildcard tests/bench/bench_*.c))
TEST_SRC := $(UNIT_SRC) $(INTEGRATION_SRC) $(SUPPORT_SRC) $(FUZZ_SRC) $(BENCH_SRC)
TEST_HEADERS := $(sort $(wildcard tests/*.h tests/*/*.h tests/*/*/*.h))

# ---------------------------------------------------------------------------- flags

CC = gcc
CLANG := clang-14
PACKAGES := rdkafka librabbitmq libcurl yaml-0.1 libssl libcrypto libzstd zlib libpcre2-8 sqlite3 ncursesw
ifneq ($(strip $(groups)),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES))
TEST_LIBS := -lcmocka -lcjson
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
	-Wformat=2 -Wvla -Wundef -Wwrite-strings -Werror
DEFINES := -D_GNU_SOURCE -DSIGNALBOX_VERSION='"$(VERSION)"'
INCLUDES := -I. -Isrc -Ibuild/gen $(PKG_CFLAGS)
machine := $(shell uname -m)
harden := -fPIE -fstack-protector-strong -fstack-clash-protection $(if $(filter x86_64,$(machine)),-fcf-protection)
sanitize := -O1 -g -fno-omit-frame-pointer -fPIE
asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined

ifeq ($(VARIANT),plain)
BUILD := build
OPTIMIZE := -O2 -g -D_FORTIFY_SOURCE=2 $(harden)
else ifeq ($(VARIANT),asan)
BUILD := build/asan
OPTIMIZE := $(sanitize) $(asan)
LINK := $(asan)
else ifeq ($(VARIANT),tsan)
BUILD := build/tsan
OPTIMIZE := $(sanitize) -fsanitize=thread
LINK := -fsanitize=thread
else ifeq ($(VARIANT),fuzz)
BUILD := build/fuzz
CC := $(CLANG)
OPTIMIZE := $(sanitize) $(asan) -fsanitize=fuzzer-no-link -DFUZZING
LINK := $(asan)
else
$(error VARIANT is plain, asan, tsan or fuzz)
endif

ALL_CFLAGS := -std=gnu11 $(DEFINES) $(INCLUDES) $(WARNINGS) $(OPTIMIZE) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LINK) $(LDFLAGS)
LIBS := $(PKG_LIBS) -lpthread -lm

OBJ := $(BUILD)/obj
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))
LIBRARY := $(BUILD)/libsignalbox.a
APP_LIBRARY := $(BUILD)/libsignalbox-app.a
SUPPORT := $(BUILD)/libsupport.a
BINARY := $(BUILD)/signalbox
UNIT_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
INTEGRATION_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(INTEGRATION_SRC))
FUZZ_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(FUZZ_SRC))
REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/replay/%,$(FUZZ_SRC))
BENCH_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(BENCH_SRC))

# Two files that change only when their content does: objects depend on the flags, archives on the list of sources.
ifneq ($(strip $(groups)),)
flags_now := $(CC) $(ALL_CFLAGS) / $(ALL_LDFLAGS) $(LIBS)
sources_now := $(SRC) $(TEST_SRC)
$(shell mkdir -p $(BUILD))
ifneq ($(file <$(BUILD)/flags),$(flags_now))
$(file >$(BUILD)/flags,$(flags_now))
endif
ifneq ($(file <$(BUILD)/sources),$(sources_now))
$(file >$(BUILD)/sources,$(sources_now))
endif
endif

# ---------------------------------------------------------------------------- build

.PHONY: all
all: $(if $(MAIN_SRC),$(BINARY)) $(LIBRARY) $(APP_LIBRARY) $(if $(filter plain,$(VARIANT)),compile_commands.json)
	@:

$(OBJ)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@$(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Data that is compiled in: themes/NAME.theme becomes a string in build/gen/ui/themes.inc.
THEMES := $(sort $(wildcard themes/*.theme))
$(OBJ)/ui/theme.o build/lint/ui/theme.c.clang: build/gen/ui/themes.inc

build/gen/ui/themes.inc: $(THEMES) scripts/embed
	@mkdir -p $(@D)
	@$(say) EMBED $@
	$(Q)scripts/embed $(THEMES) >$@

$(LIBRARY): $(call objects,$(LIB_SRC)) $(BUILD)/sources
$(APP_LIBRARY): $(call objects,$(APP_SRC)) $(BUILD)/sources
$(SUPPORT): $(call objects,$(SUPPORT_SRC)) $(BUILD)/sources

$(LIBRARY) $(APP_LIBRARY) $(SUPPORT):
	@mkdir -p $(@D)
	@$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

# Debian's librdkafka uses C11 threads, which the thread sanitizer doesn't know; see the shim's own words.
shim := $(if $(filter tsan,$(VARIANT)),$(call objects,tests/tsan/c11threads.c))

$(BINARY): $(call objects,$(MAIN_SRC)) $(shim) $(APP_LIBRARY) $(LIBRARY) $(BUILD)/flags
	@$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

# All of them may link everything but main: what runs over each decoder, say, takes them from src/registry.c.
# A file beside a test with the ending .flags adds to its link line (say -Wl,--wrap=malloc).
$(UNIT_BIN) $(INTEGRATION_BIN) $(BENCH_BIN): $(BUILD)/tests/%: $(OBJ)/tests/%.o $(shim) $(SUPPORT) $(APP_LIBRARY) \
		$(LIBRARY) $(BUILD)/flags
	@mkdir -p $(@D)
	@$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) $(file <tests/$*.flags) -o $@ $(filter %.o %.a,$^) $(TEST_LIBS) $(LIBS)

$(FUZZ_BIN): $(BUILD)/tests/%: $(OBJ)/tests/%.o $(SUPPORT) $(APP_LIBRARY) $(LIBRARY) $(BUILD)/flags
	@mkdir -p $(@D)
	@$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o %.a,$^) $(TEST_LIBS) $(LIBS)

$(REPLAY_BIN): $(BUILD)/tests/replay/%: $(OBJ)/tests/fuzz/%.o $(OBJ)/tests/fuzz/replay.o $(SUPPORT) $(APP_LIBRARY) \
		$(LIBRARY) $(BUILD)/flags
	@mkdir -p $(@D)
	@$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(TEST_LIBS) $(LIBS)

-include $(patsubst %.o,%.d,$(call objects,$(SRC) $(TEST_SRC) tests/fuzz/replay.c tests/tsan/c11threads.c))

compile_commands.json: Makefile build/flags build/sources
	@$(say) JSON $@
	$(Q){ echo '['; for f in $(SRC) $(TEST_SRC); do \
		printf '%s{"directory": "%s", "file": "%s", "arguments": [%s"-c", "%s"]}' "$$comma" '$(CURDIR)' $$f \
		'$(foreach f,$(CC) $(filter-out -Werror,$(ALL_CFLAGS)),"$(subst ",\",$(subst ',,$f))", )' $$f; \
		comma=",$$(printf '\n.')"; comma=$${comma%.}; done; echo; echo ']'; } >$@

# ---------------------------------------------------------------------------- tests

# The processors are used even where -j wasn't asked for.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
variant = $(MAKE) $(parallel) VARIANT=$(1) build-tests
clang_stamps := $(patsubst %,build/lint/%.clang,$(SRC) $(HEADERS) $(TEST_SRC) $(wildcard tests/fuzz/*.h tests/fuzz/replay.c tests/tsan/*.c \
	tests/support/*.h))

.PHONY: check-unit check crash lint lint-clang asan tsan fuzz bench build-tests build-fuzz
build-tests: all $(UNIT_BIN) $(INTEGRATION_BIN) $(REPLAY_BIN)
build-fuzz: $(FUZZ_BIN)

# What needs no server, in under a minute.
check-unit:
	$(Q)$(MAKE) $(parallel) build-tests
	$(Q)tests/run --build $(BUILD) unit cli tui

# Everything: lint, the unit tests plain, under ASan and UBSan, and under TSan, the fuzzers' inputs, the lab.
check:
	$(Q)scripts/check

# Every operation, killed and resumed on the lab's brokers, and whatever else befalls one. Hours.
crash:
	$(Q)$(MAKE) $(parallel) all
	$(Q)tests/lab/lab start kafka rabbitmq
	$(Q)tests/crash/run $(CRASH_KILLS); code=$$?; tests/lab/lab stop; exit $$code

# Warnings of gcc and clang are errors; then the checks of scripts/lint, and what is planted to try them.
lint:
	$(Q)$(MAKE) $(parallel) build-tests lint-clang
	$(Q)scripts/lint/run
	$(Q)tests/run lint

lint-clang: $(clang_stamps)
	@:

build/lint/%.clang: % build/flags
	@mkdir -p $(@D)
	@$(say) CLANG $<
	$(Q)$(CLANG) -x c -std=gnu11 $(DEFINES) $(INCLUDES) $(WARNINGS) -Wno-unused-function -fsyntax-only \
		-MMD -MP -MF $@.d -MT $@ $<
	@touch $@

ifneq ($(filter lint-clang,$(goals)),)
-include $(clang_stamps:=.d)
endif

asan:
	+$(Q)$(call variant,asan)
	$(Q)tests/run --build build/asan --slow 4 unit fuzz

tsan:
	+$(Q)$(call variant,tsan)
	$(Q)tests/run --build build/tsan --slow 8 unit

fuzz:
	$(Q)$(MAKE) $(parallel) VARIANT=fuzz build-fuzz
	$(Q)scripts/fuzz build/fuzz $(FUZZ_SECONDS) $(patsubst tests/%.c,build/fuzz/tests/%,$(FUZZ_SRC))

bench:
	$(Q)$(MAKE) $(parallel) all $(BENCH_BIN)
	$(Q)tests/bench/run

# ---------------------------------------------------------------------------- the lab

.PHONY: lab lab-stop lab-traffic
lab:
	$(Q)tests/lab/lab start
	@echo 'configuration:  build/lab/signalbox.yaml'
	@echo 'open it with:   make && build/signalbox --config build/lab/signalbox.yaml'
	@echo 'some traffic:   make lab-traffic (until interrupted); stop the lab with: make lab-stop'

lab-stop:
	$(Q)tests/lab/lab stop

lab-traffic:
	$(Q)tests/lab/traffic.py

# ---------------------------------------------------------------------------- the rest

.PHONY: demo install uninstall dist clean help format
demo:
	$(Q)$(MAKE) $(parallel) all
	$(Q)$(BINARY) --demo

install: all
	install -D -m 755 $(BINARY) $(DESTDIR)$(bindir)/signalbox
	install -D -m 644 LICENSE $(DESTDIR)$(datadir)/doc/signalbox/LICENSE
	$(if $(wildcard man/signalbox.1),install -D -m 644 man/signalbox.1 $(DESTDIR)$(datadir)/man/man1/signalbox.1)
	$(Q)mkdir -p build/completion && for shell in bash zsh fish; do \
		$(BINARY) completion $$shell >build/completion/$$shell || exit 1; done
	install -D -m 644 build/completion/bash $(DESTDIR)$(datadir)/bash-completion/completions/signalbox
	install -D -m 644 build/completion/zsh $(DESTDIR)$(datadir)/zsh/site-functions/_signalbox
	install -D -m 644 build/completion/fish $(DESTDIR)$(datadir)/fish/vendor_completions.d/signalbox.fish

uninstall:
	rm -f $(DESTDIR)$(bindir)/signalbox $(DESTDIR)$(datadir)/man/man1/signalbox.1 \
		$(DESTDIR)$(datadir)/bash-completion/completions/signalbox \
		$(DESTDIR)$(datadir)/zsh/site-functions/_signalbox \
		$(DESTDIR)$(datadir)/fish/vendor_completions.d/signalbox.fish
	rm -rf $(DESTDIR)$(datadir)/doc/signalbox

dist:
	$(Q)mkdir -p build
	git archive --prefix=signalbox-$(VERSION)/ -o build/signalbox-$(VERSION).tar.gz HEAD

format:
	$(Q)clang-format-14 -i $(SRC) $(HEADERS) $(TEST_SRC) $(TEST_HEADERS)

clean:
	$(Q)[ ! -d build/lab ] || tests/lab/lab stop
	rm -rf build compile_commands.json

print-%:
	@echo '$($*)'

help:
	@echo 'make               build build/signalbox (and what is missing of the packages that it needs)'
	@echo 'make demo          build and open the console on the embedded demo'
	@echo 'make check-unit    the tests that need no server'
	@echo 'make check         all of them: lint, sanitizers, fuzz inputs, real servers; needs no terminal'
	@echo 'make crash         operations killed $(CRASH_KILLS) times (CRASH_KILLS) on the real brokers, and resumed'
	@echo 'make lint          compilers, layers, banned functions, lengths, layout, cppcheck'
	@echo 'make asan tsan     the unit tests under the sanitizers'
	@echo 'make fuzz          each fuzzer for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make bench         measures against peers, on the lab'
	@echo 'make lab           start real servers to try things on, and say how; make lab-traffic, make lab-stop'
	@echo 'make format        lay out the sources with clang-format'
	@echo 'make install       into PREFIX ($(PREFIX)), under DESTDIR; make uninstall takes it out again'
	@echo 'make dist          a source archive of HEAD under build/'
	@echo 'make clean         remove build/'
