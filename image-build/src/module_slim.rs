//! Takes out of a kernel module what only a tracer or a debugger reads.
//!
//! The kernel works on all of it when the module is loaded: it sorts the tables for unwinding, checks
//! the types, and looks up the symbol of every function that could be traced. That is two thirds of
//! the time that loading takes (`docs/decisions/modules.md`). Nothing that the module needs to run,
//! and no name of a function, is touched: an oops still says where it happened.

use std::collections::BTreeSet;

use object::build::Id;
use object::build::elf::{Builder, Relocation, Section, SectionData, SectionId};
use object::elf;

/// For unwinding exactly; without them the kernel marks the frames of a module as guessed.
const FOR_DEBUGGERS: &[&[u8]] = &[b".orc_header", b".orc_unwind", b".orc_unwind_ip", b".comment"];
/// The module's types, and the list of those by which it offers functions to BPF programs: a module
/// that has such a list registers it, and the kernel then wants the types.
const TYPES: &[u8] = b".BTF";
const TYPES_USED: &[u8] = b".BTF_ids";
const DWARF: &[u8] = b".debug_";
/// Where each function that can be traced calls [`TRACER`].
const TRACED: &[u8] = b"__mcount_loc";
const TRACER: &[u8] = b"__fentry__";
/// Mark the space before functions.
const PADDING: &[u8] = b"__pfx_";
/// An x86 call, its target filled in by a relocation, and what the kernel itself writes over it:
/// arch/x86/kernel/ftrace.c, the instruction that does nothing in five bytes.
const CALL: &[u8] = &[0xe8, 0, 0, 0, 0];
const NOTHING: &[u8] = &[0x0f, 0x1f, 0x44, 0, 0];
const FILE_HEADER: u64 = 64;

/// The module without it; `None` where the file has something that cannot be written again.
pub(crate) fn slim(module: &[u8]) -> Option<Vec<u8>> {
    let mut elf = Builder::read64(module).ok()?;
    if elf.header.e_type != elf::ET_REL {
        return None;
    }
    if elf.header.e_machine == elf::EM_X86_64
        && let Some(calls) = traced_calls(&elf)
    {
        remove_calls(&mut elf, &calls);
        delete(&mut elf, |section| *section.name == *TRACED);
    }
    let offers_types = elf.sections.iter().any(|section| *section.name == *TYPES_USED);
    delete(&mut elf, |section| {
        FOR_DEBUGGERS.contains(&&*section.name)
            || section.name.starts_with(DWARF)
            || (*section.name == *TYPES && !offers_types)
    });
    delete_symbols(&mut elf);
    close_gaps(&mut elf);
    let mut bytes = Vec::new();
    elf.write(&mut bytes).ok()?;
    Some(bytes)
}

/// Places in sections, which stand in the order of the file.
type Places = BTreeSet<(usize, u64)>;

/// Where [`TRACED`] says that [`TRACER`] is called; `None` when it is not so everywhere.
fn traced_calls(elf: &Builder<'_>) -> Option<Places> {
    let traced = elf.sections.iter().find(|section| *section.name == *TRACED)?.id();
    let mut calls = Places::new();
    let mut traces = Places::new();
    for (target, relocations) in elf.sections.iter().filter_map(relocations) {
        for relocation in relocations {
            let symbol = elf.symbols.get(relocation.symbol?);
            if target == traced {
                let place = symbol.st_value.checked_add_signed(relocation.r_addend)?;
                calls.insert((symbol.section?.index(), place));
            } else if *symbol.name == *TRACER {
                traces.insert((target.index(), relocation.r_offset.checked_sub(1)?));
            }
        }
    }
    let is_call = |(section, place): &(usize, u64)| {
        let code = elf.sections.iter().find(|it| it.id().index() == *section).map(|it| &it.data);
        let Some(SectionData::Data(code)) = code else { return false };
        let start = usize::try_from(*place).unwrap_or(usize::MAX);
        code.get(start..).is_some_and(|code| code.starts_with(CALL))
    };
    (traces == calls && calls.iter().all(is_call)).then_some(calls)
}

fn relocations<'a>(section: &'a Section<'_>) -> Option<(SectionId, &'a [Relocation])> {
    match &section.data {
        SectionData::Relocation(relocations) => Some((section.sh_info_section?, relocations)),
        _ => None,
    }
}

/// As the kernel does when a module is loaded, which then leaves nothing to trace.
fn remove_calls(elf: &mut Builder<'_>, calls: &Places) {
    for section in elf.sections.iter_mut() {
        let id = section.id().index();
        match (&mut section.data, section.sh_info_section) {
            (SectionData::Data(code), _) => {
                for (_, place) in calls.range((id, 0)..=(id, u64::MAX)) {
                    let start = usize::try_from(*place).unwrap_or(usize::MAX);
                    let call = code.to_mut().get_mut(start..).and_then(|code| code.get_mut(..CALL.len()));
                    if let Some(call) = call {
                        call.copy_from_slice(NOTHING);
                    }
                }
            }
            (SectionData::Relocation(relocations), Some(target)) => relocations.retain(|relocation| {
                let place = relocation.r_offset.checked_sub(1);
                place.is_none_or(|place| !calls.contains(&(target.index(), place)))
            }),
            _ => {}
        }
    }
}

/// These sections go, and those that relocate them; not one that something refers to which stays.
fn delete(elf: &mut Builder<'_>, goes: impl Fn(&Section<'_>) -> bool) {
    let mut gone: Vec<SectionId> =
        elf.sections.iter().filter(|section| goes(section)).map(Section::id).collect();
    let stays = elf.sections.iter().filter_map(relocations).filter(|(target, _)| !gone.contains(target));
    let symbols = stays.flat_map(|(_, relocations)| relocations).filter_map(|relocation| relocation.symbol);
    let needed: Vec<SectionId> = symbols.filter_map(|symbol| elf.symbols.get(symbol).section).collect();
    gone.retain(|section| !needed.contains(section));
    for section in elf.sections.iter_mut() {
        let target = section.sh_info_section;
        section.delete = gone.contains(&section.id()) || target.is_some_and(|target| gone.contains(&target));
    }
}

/// What nothing refers to goes; functions stay, for the sake of the kernel's messages.
fn delete_symbols(elf: &mut Builder<'_>) {
    let used: BTreeSet<usize> = elf
        .sections
        .iter()
        .filter_map(relocations)
        .flat_map(|(_, relocations)| relocations)
        .filter_map(|relocation| Some(relocation.symbol?.index()))
        .collect();
    for symbol in elf.symbols.iter_mut() {
        let is_function = symbol.st_type() == elf::STT_FUNC && !symbol.name.starts_with(PADDING);
        symbol.delete = !is_function && !used.contains(&symbol.id().index());
    }
}

/// What is loaded moves together; the rest is placed behind it when the file is written.
fn close_gaps(elf: &mut Builder<'_>) {
    let loaded = elf.sections.iter().filter(|section| section.is_alloc());
    let mut order: Vec<(u64, u64, SectionId)> =
        loaded.map(|section| (section.sh_offset, section.sh_size, section.id())).collect();
    order.sort_by_key(|(offset, size, _)| (*offset, *size));
    let mut end = FILE_HEADER;
    for (_, size, id) in order {
        let section = elf.sections.get_mut(id);
        section.sh_offset = end.next_multiple_of(section.sh_addralign.max(1));
        if !matches!(section.data, SectionData::UninitializedData(_)) {
            end = section.sh_offset.saturating_add(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: elf::SectionType = elf::SHT_STRTAB;

    /// `.text` of two functions, which call the tracer and a third, or refer to one section more.
    fn module(code: &[u8], more: Option<&'static str>) -> Vec<u8> {
        let mut elf = Builder::new(object::Endianness::Little, true);
        elf.header.e_type = elf::ET_REL;
        elf.header.e_machine = elf::EM_X86_64;
        let mut offset = FILE_HEADER;
        let mut section = |elf: &mut Builder<'static>, name: &'static str, kind, flags, data| {
            let section = elf.sections.add();
            section.name = name.as_bytes().into();
            section.sh_type = kind;
            section.sh_flags = flags;
            section.sh_addralign = 1;
            section.data = data;
            if let SectionData::Data(data) = &section.data {
                section.sh_size = data.len() as u64;
                section.sh_offset = offset;
                offset += section.sh_size;
            }
            section.id()
        };
        let none = elf::SectionFlags(0);
        let data = |bytes: &[u8]| SectionData::Data(bytes.to_vec().into());
        let orc = section(&mut elf, ".orc_unwind_ip", elf::SHT_PROGBITS, elf::SHF_ALLOC, data(&[7; 8]));
        let text = section(&mut elf, ".text", elf::SHT_PROGBITS, elf::SHF_ALLOC, data(code));
        let traced = section(&mut elf, "__mcount_loc", elf::SHT_PROGBITS, elf::SHF_ALLOC, data(&[0; 16]));
        section(&mut elf, ".BTF", elf::SHT_PROGBITS, none, data(b"types"));
        let more = more.map(|name| section(&mut elf, name, elf::SHT_PROGBITS, elf::SHF_ALLOC, data(&[0; 8])));
        let table = section(&mut elf, ".symtab", elf::SHT_SYMTAB, none, SectionData::Symbol);
        let strings = section(&mut elf, ".strtab", STRING, none, SectionData::String);
        section(&mut elf, ".shstrtab", STRING, none, SectionData::SectionString);
        elf.sections.get_mut(table).sh_link_section = Some(strings);
        let mut symbol = |name: &'static str, section, kind, bind| {
            let symbol = elf.symbols.add();
            symbol.name = name.as_bytes().into();
            symbol.section = section;
            symbol.set_st_info(bind, kind);
            symbol.id()
        };
        let types = more.map(|more| symbol("list", Some(more), elf::STT_OBJECT, elf::STB_LOCAL));
        let start = symbol("", Some(text), elf::STT_SECTION, elf::STB_LOCAL);
        symbol("one", Some(text), elf::STT_FUNC, elf::STB_LOCAL);
        symbol("__pfx_one", Some(text), elf::STT_FUNC, elf::STB_LOCAL);
        symbol("variable", Some(text), elf::STT_OBJECT, elf::STB_LOCAL);
        let tracer = symbol("__fentry__", None, elf::STT_NOTYPE, elf::STB_GLOBAL);
        let other = symbol("printk", None, elf::STT_NOTYPE, elf::STB_GLOBAL);
        let relocation = |r_offset, symbol, r_addend| Relocation {
            r_offset,
            symbol: Some(symbol),
            r_type: elf::R_X86_64_64,
            r_addend,
        };
        let lists = [
            (".rela.orc_unwind_ip", orc, vec![relocation(0, start, 0)]),
            (
                ".rela.text",
                text,
                vec![
                    relocation(1, tracer, -4),
                    relocation(6, types.unwrap_or(other), -4),
                    relocation(12, tracer, -4),
                ],
            ),
            (".rela__mcount_loc", traced, vec![relocation(0, start, 0), relocation(8, start, 11)]),
        ];
        for (name, target, list) in lists {
            let id =
                section(&mut elf, name, elf::SHT_RELA, elf::SHF_INFO_LINK, SectionData::Relocation(list));
            let section = elf.sections.get_mut(id);
            section.sh_info_section = Some(target);
            section.sh_link_section = Some(table);
            section.sh_entsize = 24;
        }
        let mut bytes = Vec::new();
        elf.write(&mut bytes).unwrap();
        bytes
    }

    /// Sections, symbols, and the code with the number of its relocations.
    fn check(
        (code, more): (&[u8], Option<&'static str>),
        sections: &[&str],
        symbols: &[&str],
        expected: (&[u8], usize),
    ) {
        let slim = slim(&module(code, more)).unwrap();
        let elf = Builder::read64(slim.as_slice()).unwrap();
        let found: Vec<_> = elf.sections.iter().map(|section| section.name.to_string()).collect();
        assert_eq!(found, sections);
        let found: Vec<_> = elf.symbols.iter().map(|symbol| symbol.name.to_string()).collect();
        assert_eq!(found, symbols);
        let text = elf.sections.iter().find(|section| *section.name == *b".text").unwrap();
        let SectionData::Data(code) = &text.data else { panic!("{:?}", text.data) };
        let count = elf.sections.iter().filter_map(relocations).find(|(target, _)| *target == text.id());
        assert_eq!((&**code, count.map_or(0, |(_, list)| list.len())), expected);
    }

    const CODE: &[u8] = &[0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3, 0xe8, 0, 0, 0, 0, 0xc3];

    #[test]
    fn takes_out_what_only_tracers_and_debuggers_read() {
        let sections = [".text", ".symtab", ".strtab", ".shstrtab", ".rela.text"];
        let traceless = [0x0f, 0x1f, 0x44, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3, 0x0f, 0x1f, 0x44, 0, 0, 0xc3];
        check((CODE, None), &sections, &["one", "printk"], (&traceless, 1));
        // The module's own code refers to it.
        for (more, stay) in [(".BTF_ids", &[".BTF", ".BTF_ids"][..]), (".comment", &[".comment"])] {
            let sections = [&sections[..1], stay, &sections[1..]].concat();
            check((CODE, Some(more)), &sections, &["list", "one"], (&traceless, 1));
        }
    }

    #[test]
    fn leaves_the_calls_of_the_tracer_where_one_is_not_as_expected() {
        let sections =
            [".text", "__mcount_loc", ".symtab", ".strtab", ".shstrtab", ".rela.text", ".rela__mcount_loc"];
        let mut code = CODE.to_vec();
        code[11] = 0xe9;
        check((&code, None), &sections, &["", "one", "__fentry__", "printk"], (&code, 3));
    }

    #[test]
    fn leaves_alone_what_is_no_module() {
        assert_eq!(slim(b"text"), None);
        assert_eq!(slim(&std::fs::read(std::env::current_exe().unwrap()).unwrap()), None);
    }
}
