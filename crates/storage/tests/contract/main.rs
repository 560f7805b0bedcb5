//! What every store does, in memory, in a file and on PostgreSQL: one suite for all.

mod claims;
mod conflicts;
mod damage;
mod exactly_once;
mod faults;
mod limits;
mod numbers;
mod objects;
mod postgres;
mod reads;
mod records;
mod restart;
mod sqlite_file;
mod world;

use world::World;

/// Each rule is an `async fn(&World)`. Those about restarts mean nothing to a database that ends with its store.
macro_rules! rules {
    (everywhere { $($module:ident::$rule:ident)* } where_it_outlives_its_store { $($lasting:ident::$lasting_rule:ident)* }) => {
        mod memory {
            $(rules! { @test memory $module $rule })*
        }
        mod file {
            $(rules! { @test file $module $rule })*
            $(rules! { @test file $lasting $lasting_rule })*
        }
        /// For PostgreSQL, where a cluster is too dear to have one for each rule.
        const LASTING: &[postgres::Rule] = &[
            $((stringify!($rule), |world| Box::pin($module::$rule(world))),)*
            $((stringify!($lasting_rule), |world| Box::pin($lasting::$lasting_rule(world))),)*
        ];
    };
    (@test $world:ident $module:ident $rule:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            crate::$module::$rule(&crate::World::$world()).await;
        }
    };
}

rules! {
    everywhere {
        reads::what_is_not_there_is_none
        reads::every_object_is_read_as_it_was_written
        reads::orders_are_listed_by_account_after_a_number
        reads::authorizations_are_listed_newest_first
        reads::a_reader_never_sees_half_of_a_commit
        reads::a_reader_never_goes_back_in_time
        conflicts::a_key_has_one_account
        conflicts::an_account_changes_from_the_version_it_was_read_at
        conflicts::an_account_cannot_take_another_ones_key
        conflicts::an_order_number_is_used_once_and_a_conflict_writes_nothing
        conflicts::an_authorization_changes_from_the_version_it_was_read_at
        conflicts::a_plan_holds_only_while_everything_it_was_decided_from_does
        conflicts::a_serial_is_planned_once
        conflicts::a_certificate_completes_once_from_planned
        conflicts::a_certificate_of_others_takes_its_own_number_once
        conflicts::an_abandoned_certificate_fails_its_order_and_is_final
        conflicts::a_revocation_needs_the_version_it_was_decided_from
        exactly_once::t22_of_64_plans_at_once_one_is_made
        exactly_once::of_64_accounts_with_one_key_one_is_made
        exactly_once::of_64_changes_of_one_version_one_is_made
        numbers::no_number_is_handed_out_twice
        numbers::the_first_secret_of_a_name_stays
        claims::work_is_claimed_when_due_and_once_until_its_lease_passes
        claims::work_claimed_at_the_same_time_is_claimed_once
        claims::a_claim_moves_the_version
        limits::of_several_buckets_all_are_drawn_on_or_none
        limits::looking_at_a_bucket_draws_nothing
        limits::of_64_draws_at_once_as_many_succeed_as_the_bucket_holds
        records::a_record_is_made_once_and_changes_from_the_version_it_was_read_at
        records::of_several_records_all_are_changed_or_none
        records::a_change_and_its_records_happen_together_or_not_at_all
        records::records_are_listed_by_kind_owner_and_due_time
        records::certificates_are_found_by_account_key_time_and_revocation
        records::an_order_is_made_for_the_account_as_it_was_read
        records::an_authorization_may_stand_alone
        records::a_key_may_have_one_account_in_each_directory
        restart::after_closing_nothing_is_answered
    }
    where_it_outlives_its_store {
        restart::everything_is_there_after_a_restart
        restart::t23_a_planned_certificate_is_known_after_a_restart_and_can_be_claimed
        restart::no_number_is_handed_out_twice_across_restarts
        faults::a_change_that_was_not_written_is_not_there
        faults::a_change_that_was_written_though_it_was_reported_failed_is_there
        faults::t23_a_plan_reported_failed_is_found_by_whoever_comes_next
        damage::a_row_that_cannot_be_true_names_table_row_and_column
        damage::t45_a_newer_schema_is_refused
    }
}
