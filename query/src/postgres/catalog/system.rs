//! The tables of `pg_catalog` that have rows.

use super::{Cell, DATABASE, EMPTY, INFORMATION, OWNER, PG_CATALOG, PLANT, ROLE, Row, SCHEMA, Spec, TableColumns, World};
use crate::postgres::types::{Type, pg_type};

/// All tables with rows.
pub const NAMES: [&str; 18] = [
    "pg_am",
    "pg_attribute",
    "pg_authid",
    "pg_class",
    "pg_database",
    "pg_description",
    "pg_group",
    "pg_language",
    "pg_namespace",
    "pg_proc",
    "pg_roles",
    "pg_settings",
    "pg_shadow",
    "pg_tables",
    "pg_tablespace",
    "pg_type",
    "pg_user",
    "pg_views",
];

/// The columns and rows of a table.
pub fn table(world: &World, tables: &[TableColumns], name: &str) -> Option<(Spec, Vec<Row>)> {
    Some(match name {
        "pg_namespace" => ("oid:i nspname nspowner:i nspacl:a", namespaces()),
        "pg_class" => (
            "oid:i relname relnamespace:i reltype:i reloftype:i relowner:i relam:i relfilenode:i reltablespace:i relpages:i \
             reltuples:l relallvisible:i reltoastrelid:i relhasindex:b relisshared:b relpersistence relkind relnatts:i relchecks:i \
             relhasrules:b relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b relispopulated:b relreplident \
             relispartition:b relrewrite:i relfrozenxid:i relminmxid:i relacl:a reloptions:a relpartbound",
            classes(world, tables),
        ),
        "pg_attribute" => (
            "attrelid:i attname atttypid:i attstattarget:i attlen:i attnum:i attndims:i attcacheoff:i atttypmod:i attbyval:b attalign \
             attstorage attcompression attnotnull:b atthasdef:b atthasmissing:b attidentity attgenerated attisdropped:b attislocal:b \
             attinhcount:i attcollation:i attacl:a attoptions:a attfdwoptions:a attmissingval",
            attributes(world, tables),
        ),
        "pg_type" => (
            "oid:i typname typnamespace:i typowner:i typlen:i typbyval:b typtype typcategory typispreferred:b typisdefined:b typdelim \
             typrelid:i typsubscript typelem:i typarray:i typinput typoutput typreceive typsend typmodin typmodout typanalyze typalign \
             typstorage typnotnull:b typbasetype:i typtypmod:i typndims:i typcollation:i typdefaultbin typdefault typacl:a",
            types(),
        ),
        "pg_database" => (
            "oid:i datname datdba:i encoding:i datlocprovider datistemplate:b datallowconn:b datconnlimit:i datfrozenxid:i datminmxid:i \
             dattablespace:i datcollate datctype daticulocale datcollversion datacl:a",
            vec![vec![
                ("oid", PLANT.into()),
                ("datname", DATABASE.into()),
                ("datdba", ROLE.into()),
                ("encoding", 6.into()),
                ("datlocprovider", "c".into()),
                ("datallowconn", true.into()),
                ("datconnlimit", (-1).into()),
                ("dattablespace", 1_663.into()),
                ("datcollate", "C".into()),
                ("datctype", "C".into()),
            ]],
        ),
        "pg_description" => ("objoid:i classoid:i objsubid:i description", descriptions(world)),
        "pg_settings" => (
            "name setting unit category short_desc extra_desc context vartype source min_val max_val enumvals boot_val reset_val \
             sourcefile sourceline:i pending_restart:b",
            world.settings(|settings| {
                let row = |(name, value): (&str, &str)| {
                    vec![
                        ("name", name.into()),
                        ("setting", value.into()),
                        ("context", "user".into()),
                        ("vartype", "string".into()),
                        ("source", "default".into()),
                    ]
                };
                settings.all().map(row).collect()
            }),
        ),
        "pg_tables" => (
            "schemaname tablename tableowner tablespace hasindexes:b hasrules:b hastriggers:b rowsecurity:b",
            named(tables, false, |name| {
                vec![("schemaname", SCHEMA.into()), ("tablename", name.into()), ("tableowner", OWNER.into())]
            }),
        ),
        "pg_views" => (
            "schemaname viewname viewowner definition",
            named(tables, true, |name| {
                vec![("schemaname", SCHEMA.into()), ("viewname", name.into()), ("viewowner", OWNER.into())]
            }),
        ),
        "pg_roles" | "pg_authid" => (
            "oid:i rolname rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b rolreplication:b rolconnlimit:i \
             rolpassword rolvaliduntil rolbypassrls:b rolconfig:a",
            vec![role(ROLE, OWNER, "rolname", "oid"), role(ROLE + 1, &world.user, "rolname", "oid")],
        ),
        "pg_user" | "pg_shadow" => (
            "usename usesysid:i usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd valuntil useconfig:a",
            vec![role(ROLE, OWNER, "usename", "usesysid"), role(ROLE + 1, &world.user, "usename", "usesysid")],
        ),
        "pg_group" => ("groname grosysid:i grolist:n", Vec::new()),
        "pg_am" => {
            ("oid:i amname amhandler amtype", vec![vec![("oid", 2.into()), ("amname", "heap".into()), ("amtype", "t".into())]])
        }
        "pg_tablespace" => (
            "oid:i spcname spcowner:i spcacl:a spcoptions:a",
            vec![vec![("oid", 1_663.into()), ("spcname", "pg_default".into()), ("spcowner", ROLE.into())]],
        ),
        "pg_language" => (
            "oid:i tableoid:i lanname lanowner:i lanispl:b lanpltrusted:b lanplcallfoid:i laninline:i lanvalidator:i lanacl:a",
            vec![vec![("oid", 12.into()), ("lanname", "internal".into()), ("lanowner", ROLE.into())]],
        ),
        "pg_proc" => (
            "oid:i proname pronamespace:i proowner:i prolang:i procost:i prorows:i provariadic:i prosupport:i prokind prosecdef:b \
             proleakproof:b proisstrict:b proretset:b provolatile proparallel pronargs:i pronargdefaults:i prorettype:i proargtypes:n \
             proallargtypes:n proargmodes:a proargnames:a proargdefaults protrftypes prosrc probin prosqlbody proconfig:a proacl:a",
            procedures(world),
        ),
        _ => (EMPTY.iter().find(|(empty, _)| *empty == name)?.1, Vec::new()),
    })
}

fn namespaces() -> Vec<Row> {
    let row = |oid: i32, name: &str| vec![("oid", oid.into()), ("nspname", name.into()), ("nspowner", ROLE.into())];
    vec![row(PG_CATALOG, "pg_catalog"), row(INFORMATION, "information_schema"), row(PLANT, SCHEMA)]
}

fn named(tables: &[TableColumns], views: bool, row: impl Fn(&str) -> Row) -> Vec<Row> {
    tables.iter().filter(|table| table.is_view == views).map(|table| row(&table.name)).collect()
}

fn classes(world: &World, tables: &[TableColumns]) -> Vec<Row> {
    let row = |table: &TableColumns| {
        Some(vec![
            ("oid", world.oid(&table.name)?.into()),
            ("relname", table.name.as_str().into()),
            ("relnamespace", PLANT.into()),
            ("relowner", ROLE.into()),
            ("relam", i32::from(!table.is_view).wrapping_mul(2).into()),
            ("reltuples", (-1).into()),
            ("relpersistence", "p".into()),
            ("relkind", if table.is_view { "v" } else { "r" }.into()),
            ("relnatts", i32::try_from(table.schema.fields().len()).ok()?.into()),
            ("relispopulated", true.into()),
            ("relreplident", "n".into()),
        ])
    };
    tables.iter().filter_map(row).collect()
}

fn attributes(world: &World, tables: &[TableColumns]) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables {
        let Some(oid) = world.oid(&table.name) else { continue };
        for (number, field) in (1..).zip(table.schema.fields()) {
            let r#type = pg_type(field.data_type());
            rows.push(vec![
                ("attrelid", oid.into()),
                ("attname", field.name().as_str().into()),
                ("atttypid", type_oid(&r#type).into()),
                ("attstattarget", (-1).into()),
                ("attlen", i32::from(r#type.size()).into()),
                ("attnum", Cell::Int(number)),
                ("attcacheoff", (-1).into()),
                ("atttypmod", (-1).into()),
                ("attalign", "i".into()),
                ("attstorage", "p".into()),
                ("attcompression", "".into()),
                ("attnotnull", (!field.is_nullable()).into()),
                ("attidentity", "".into()),
                ("attgenerated", "".into()),
                ("attislocal", true.into()),
            ]);
        }
    }
    rows
}

fn type_oid(r#type: &Type) -> i32 {
    i32::try_from(r#type.oid()).unwrap_or_default()
}

/// Types that values have, and those that clients look for by name.
pub const TYPES: [(Type, Type, &str); 23] = [
    (Type::BOOL, Type::BOOL_ARRAY, "B"),
    (Type::BYTEA, Type::BYTEA_ARRAY, "U"),
    (Type::CHAR, Type::CHAR_ARRAY, "Z"),
    (Type::NAME, Type::NAME_ARRAY, "S"),
    (Type::INT8, Type::INT8_ARRAY, "N"),
    (Type::INT2, Type::INT2_ARRAY, "N"),
    (Type::INT4, Type::INT4_ARRAY, "N"),
    (Type::TEXT, Type::TEXT_ARRAY, "S"),
    (Type::OID, Type::OID_ARRAY, "N"),
    (Type::JSON, Type::JSON_ARRAY, "U"),
    (Type::FLOAT4, Type::FLOAT4_ARRAY, "N"),
    (Type::FLOAT8, Type::FLOAT8_ARRAY, "N"),
    (Type::BPCHAR, Type::BPCHAR_ARRAY, "S"),
    (Type::VARCHAR, Type::VARCHAR_ARRAY, "S"),
    (Type::DATE, Type::DATE_ARRAY, "D"),
    (Type::TIME, Type::TIME_ARRAY, "D"),
    (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY, "D"),
    (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY, "D"),
    (Type::INTERVAL, Type::INTERVAL_ARRAY, "T"),
    (Type::NUMERIC, Type::NUMERIC_ARRAY, "N"),
    (Type::UUID, Type::UUID_ARRAY, "U"),
    (Type::JSONB, Type::JSONB_ARRAY, "U"),
    (Type::REGCLASS, Type::REGCLASS_ARRAY, "N"),
];

fn types() -> Vec<Row> {
    let row = |r#type: &Type, category: &str, array: i32, element: i32| -> Row {
        vec![
            ("oid", type_oid(r#type).into()),
            ("typname", r#type.name().into()),
            ("typnamespace", PG_CATALOG.into()),
            ("typowner", ROLE.into()),
            ("typlen", i32::from(r#type.size()).into()),
            ("typtype", "b".into()),
            ("typcategory", category.into()),
            ("typisdefined", true.into()),
            ("typdelim", ",".into()),
            ("typelem", element.into()),
            ("typarray", array.into()),
            ("typinput", if element > 0 { "array_in".into() } else { format!("{}in", r#type.name()).as_str().into() }),
            ("typalign", "i".into()),
            ("typstorage", "p".into()),
            ("typtypmod", (-1).into()),
        ]
    };
    let both = |(item, array, category): &(Type, Type, &str)| {
        [row(item, category, type_oid(array), 0), row(array, "A", 0, type_oid(item))]
    };
    TYPES.iter().flat_map(both).collect()
}

fn descriptions(world: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in &world.descriptions {
        let Some(oid) = world.oid(&table.table) else { continue };
        let texts =
            [table.description.as_str()].into_iter().chain(table.columns.iter().map(|column| column.description.as_str()));
        for (number, text) in (0..).zip(texts).filter(|(_, text)| !text.is_empty()) {
            rows.push(vec![
                ("objoid", oid.into()),
                ("classoid", 1_259.into()),
                ("objsubid", Cell::Int(number)),
                ("description", text.into()),
            ]);
        }
    }
    rows
}

fn role(oid: i32, name: &str, of_name: &'static str, of_oid: &'static str) -> Row {
    vec![
        (of_oid, oid.into()),
        (of_name, name.into()),
        ("rolinherit", true.into()),
        ("rolcanlogin", (oid != ROLE).into()),
        ("rolconnlimit", (-1).into()),
    ]
}

fn procedures(world: &World) -> Vec<Row> {
    let row = |(number, (name, kind)): (i32, &(String, &'static str))| {
        vec![
            ("oid", (20_000 + number).into()),
            ("proname", name.as_str().into()),
            ("pronamespace", PLANT.into()),
            ("proowner", ROLE.into()),
            ("prolang", 12.into()),
            ("prokind", (*kind).into()),
            ("provolatile", "i".into()),
            ("proparallel", "s".into()),
        ]
    };
    (0..).zip(&world.functions).map(row).collect()
}
